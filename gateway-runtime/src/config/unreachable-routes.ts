import { normalizeTarget } from '../data-plane/request-path.ts'
import { RequestConditions, type RoutableRequest } from '../data-plane/route-conditions.ts'
import { Router } from '../data-plane/router.ts'
import { PatternExtent } from './pattern-extent.ts'
import { patternSample } from './pattern-sample.ts'
import { remembered } from './remembered.ts'
import type { RouteConditions } from './route-conditions.ts'
import { entriesInOrder, pathText, prefixOf, type RouteEntry } from './route-order.ts'
import type { PathMatcher, ValueMatcher } from './snapshot.ts'

export interface NamedConditions extends RouteConditions {
  readonly name: string
}

/** A route that no request ever comes to. */
export interface UnreachableRoute<R> {
  readonly route: R
  /** A route that gets requests which it asks for. */
  readonly by: R
  /** A request that shows it, such as `GET http://h/v1`; undefined where none was found. */
  readonly request: string | undefined
}

/** Pairs of routes that ask for the same, to the letter: the first of them and each other one. */
export function identicalRoutes<R extends RouteConditions>(routes: readonly R[]): (readonly [R, R])[] {
  const known = new Map<string, R>()
  const pairs: (readonly [R, R])[] = []
  for (const route of routes) {
    const key = identity(route)
    const first = known.get(key)
    if (first) pairs.push([first, route])
    else known.set(key, route)
  }
  return pairs
}

const pathKey = (path: PathMatcher) => (path.kind === 'prefix' ? prefixOf(path.path) || '/' : pathText(path))

function identity({ priority, hosts, paths, methods, headers, query }: RouteConditions): string {
  const sorted = (texts: readonly string[]) => texts.toSorted().join('\0')
  const pathTexts = paths.length > 0 ? paths.map(pathKey) : ['/']
  const values = (all: readonly ValueMatcher[]) =>
    sorted(all.map(({ name, values, patterns }) => `${name}\x01${sorted(values)}\x01${sorted(patterns)}`))
  return [priority, sorted(hosts), sorted(pathTexts), sorted(methods), values(headers), values(query)].join(
    '\n',
  )
}

/**
 * Finds routes that are never reached: for each of their paths with each of their hosts there is another route that
 * comes before by `precedence` and takes at least the same requests. It may overlook one, as only single routes are
 * held against each other, and of many alike the first; it never names one that can be reached.
 */
export function unreachableRoutes<R extends NamedConditions>(routes: readonly R[]): UnreachableRoute<R>[] {
  const reached = new Set<R>()
  const covered = new Map<R, { readonly entry: RouteEntry<R>; readonly by: R }>()
  const before = new Coverage<R>()
  for (const entry of entriesInOrder(routes)) {
    const by = before.add(entry)
    if (!by) reached.add(entry.route)
    else if (!covered.has(entry.route)) covered.set(entry.route, { entry, by })
  }
  const unreachable = [...covered].filter(([route]) => !reached.has(route))
  if (unreachable.length === 0) return []
  const router = new Router(routes, (route) => route)
  return unreachable.map(([route, { entry, by }]) => {
    const sample = sampleRequest(entry)
    const winner = sample && router.match(sample)?.value
    return { route, by: winner ?? by, request: sample && describeRequest(sample) }
  })
}

interface ValueExtent {
  readonly name: string
  readonly values: readonly string[]
  readonly patterns: readonly PatternExtent[]
}

const extentOf = ({ name, values, patterns }: ValueMatcher): ValueExtent => ({
  name,
  values,
  patterns: patterns.map((source) => new PatternExtent(source)),
})

/** Which requests a route takes, as far as methods, headers and query go. */
class ConditionsExtent {
  readonly #methods: readonly string[]
  readonly #headers: readonly ValueExtent[]
  readonly #query: readonly ValueExtent[]

  constructor({ methods, headers, query }: RouteConditions) {
    this.#methods = methods
    this.#headers = headers.map(extentOf)
    this.#query = query.map(extentOf)
  }

  /** Whether it takes all that another takes. */
  takesAll(other: ConditionsExtent): boolean {
    if (this.#methods.length > 0) {
      if (other.#methods.length === 0) return false
      if (!other.#methods.every((method) => this.#methods.includes(method))) return false
    }
    return valuesTakeAll(this.#headers, other.#headers) && valuesTakeAll(this.#query, other.#query)
  }
}

const valuesTakeAll = (wide: readonly ValueExtent[], narrow: readonly ValueExtent[]): boolean =>
  wide.every((one) => narrow.some((other) => one.name === other.name && valueTakesAll(one, other)))

function valueTakesAll(wide: ValueExtent, narrow: ValueExtent): boolean {
  const takesValue = (value: string) =>
    wide.values.includes(value) || wide.patterns.some((pattern) => pattern.matches(value))
  const takesPattern = (other: PatternExtent) => wide.patterns.some((pattern) => pattern.takesAll(other))
  return narrow.values.every(takesValue) && narrow.patterns.every(takesPattern)
}

/** A way in, with what comparing it needs. */
interface Way<R> {
  readonly route: R
  readonly conditions: ConditionsExtent
  /** What all that its path takes begins with; of a prefix and an exact path that itself. */
  readonly start: string
  /** Of a regular expression. */
  readonly pattern: PatternExtent | undefined
}

interface HostCoverage<R> {
  readonly exact: Map<string, Way<R>[]>
  readonly prefixes: Map<string, Way<R>[]>
  readonly patterns: Way<R>[]
}

// Of routes that are alike only so many are compared: the time must not grow with the square of their number.
const mostCompared = 16

function append<Value>(list: Value[], value: Value): Value[] {
  if (list.length < mostCompared) list.push(value)
  return list
}

/** The ways into routes that come first, by where they may be met again. */
class Coverage<R extends RouteConditions> {
  readonly #hosts = new Map<string, HostCoverage<R>>()
  readonly #conditions = new Map<R, ConditionsExtent>()

  /** Adds a way that no other takes; returns a route that takes all requests that come in this way, if there is one. */
  add({ route, host, path }: RouteEntry<R>): R | undefined {
    const way = this.#way(route, path)
    for (const around of hostsAround(host)) {
      const known = this.#hosts.get(around)
      const wider = known && widerAtHost(path.kind, way, known)
      if (wider) return wider.route
    }
    const known = this.#hosts.get(host) ?? { exact: new Map(), prefixes: new Map(), patterns: [] }
    this.#hosts.set(host, known)
    if (path.kind === 'regex') append(known.patterns, way)
    else {
      const lists = path.kind === 'exact' ? known.exact : known.prefixes
      lists.set(way.start, append(lists.get(way.start) ?? [], way))
    }
    return undefined
  }

  #way(route: R, path: PathMatcher): Way<R> {
    const conditions = this.#conditions.get(route) ?? new ConditionsExtent(route)
    this.#conditions.set(route, conditions)
    const pattern = path.kind === 'regex' ? extentOfPath(path) : undefined
    const start =
      path.kind === 'regex' ? pattern!.start : path.kind === 'exact' ? path.path : prefixOf(path.path)
    return { route, conditions, start, pattern }
  }
}

const extentOfPath = remembered(({ source }: PathMatcher & { kind: 'regex' }) => new PatternExtent(source))

/** The host itself, the wildcards that take it, and any. */
function* hostsAround(host: string): Iterable<string> {
  yield host
  if (host === '') return
  const first = host.indexOf('.', host.startsWith('*.') ? 2 : 0)
  for (let dot = first; dot >= 0; dot = host.indexOf('.', dot + 1)) yield `*${host.substring(dot)}`
  yield ''
}

function widerAtHost<R>(kind: PathMatcher['kind'], way: Way<R>, known: HostCoverage<R>): Way<R> | undefined {
  const takesIt = (other: Way<R>) => other.conditions.takesAll(way.conditions)
  const alike = kind === 'exact' ? known.exact.get(way.start)?.find(takesIt) : undefined
  if (alike) return alike
  for (const prefix of prefixesOf(kind, way.start)) {
    const wider = known.prefixes.get(prefix)?.find(takesIt)
    if (wider) return wider
  }
  return known.patterns.find((other) => patternTakes(other.pattern!, kind, way) && takesIt(other))
}

/** The prefixes that take whatever a path does. */
function* prefixesOf(kind: PathMatcher['kind'], start: string): Iterable<string> {
  if (kind !== 'regex') yield start
  for (let end = start.lastIndexOf('/'); end >= 0; end = end === 0 ? -1 : start.lastIndexOf('/', end - 1)) {
    yield start.substring(0, end)
  }
}

function patternTakes(
  pattern: PatternExtent,
  kind: PathMatcher['kind'],
  { start, pattern: own }: Way<unknown>,
): boolean {
  if (own) return pattern.takesAll(own)
  return kind === 'exact' ? pattern.matches(start) : pattern.matchesAllFrom(start || '/')
}

interface SampleRequest extends RoutableRequest {
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** A request that comes in this way; undefined where the regular expressions give none. */
function sampleRequest({ route, host, path }: RouteEntry): SampleRequest | undefined {
  const headers = route.headers.map(sampleValue)
  const query = route.query.map(sampleValue)
  const request = {
    method: route.methods.length === 0 || route.methods.includes('GET') ? 'GET' : route.methods[0]!,
    host: host === '' ? 'example.com' : host.replace(/^\*/, 'www'),
    path: samplePath(path) ?? '',
    query: query.length === 0 ? '' : `?${new URLSearchParams(query)}`,
    headers,
    header: (name: string) => headers.find(([known]) => known === name)?.[1],
  }
  const normal = normalizeTarget(request.path)
  const isRight = 'path' in normal && normal.path === request.path
  return isRight && RequestConditions.of(route)?.accept(request) !== false ? request : undefined
}

function samplePath(path: RouteEntry['path']): string | undefined {
  if (path.kind === 'regex') return patternSample(path.source)
  return path.kind === 'exact' ? path.path : prefixOf(path.path) || '/'
}

const sampleValue = ({ name, values, patterns }: ValueMatcher): [name: string, value: string] => [
  name,
  values[0] ?? patternSample(patterns[0]!) ?? '',
]

const describeRequest = ({ method, host, path, query, headers }: SampleRequest): string =>
  [`${method} http://${host}${path}${query}`, ...headers.map((field) => field.join(': '))].join(' with ')
