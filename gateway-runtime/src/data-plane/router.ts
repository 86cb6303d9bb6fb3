import type { CompiledRoute, PathMatcher } from '../config/snapshot.ts'

/** What the router reads of a request. `host` is lower-case and without port; header names are given in lower case. */
export interface RoutableRequest {
  readonly method: string
  readonly host: string
  readonly path: string
  header(name: string): string | undefined
}

/** A way into a route: one of its paths with one of its hosts. The entry with the lowest rank that matches wins. */
interface Entry<Value> {
  readonly rank: number
  readonly route: CompiledRoute
  readonly value: Value
  readonly pattern: RegExp | undefined
}

export interface RouteMatch<Value> {
  readonly value: Value
  /** How much of the path the route matched: what `strip_path` cuts off. */
  readonly matchedLength: number
}

interface HostTable<Value> {
  /** By the whole prefix without a slash at its end; '' holds the routes for any path. */
  readonly prefixes: Map<string, Entry<Value>[]>
  readonly patterns: Entry<Value>[]
}

const any: readonly PathMatcher[] = [{ kind: 'prefix', path: '/' }]

/**
 * Finds the route of a request. Where several match, the first by these rules wins:
 * 1. the higher `priority`;
 * 2. an exact host before a wildcard (the longer first) before any host;
 * 3. a regular expression (the longer first) before a prefix (the longer first);
 * 4. more headers asked for before fewer;
 * 5. a route that names methods before one that takes any;
 * 6. the order in the configuration.
 *
 * Prefixes match whole segments: /v1 matches /v1 and /v1/orders, not /v10. They are looked up by hash, longest
 * first, so that the cost depends on the depth of the path and not on the number of routes.
 */
export class Router<Value> {
  readonly #exact = new Map<string, HostTable<Value>>()
  readonly #wildcard = new Map<string, HostTable<Value>>()
  readonly #any: HostTable<Value> = { prefixes: new Map(), patterns: [] }

  constructor(routes: readonly CompiledRoute[], runtimeOf: (route: CompiledRoute) => Value) {
    const entries = routes.flatMap((route) => {
      const value = runtimeOf(route)
      const hosts = route.hosts.length > 0 ? route.hosts : ['']
      const paths = route.paths.length > 0 ? route.paths : any
      return hosts.flatMap((host) => paths.map((path) => ({ route, host, path, value })))
    })
    entries.sort(compareEntries)
    for (const [rank, { route, host, path, value }] of entries.entries()) {
      const table = this.#table(host)
      if (path.kind === 'regex') {
        table.patterns.push({ rank, route, value, pattern: new RegExp(`^(?:${path.source})`) })
      } else {
        const key = path.path.replace(/\/+$/, '')
        const list = table.prefixes.get(key)
        const entry = { rank, route, value, pattern: undefined }
        if (list) list.push(entry)
        else table.prefixes.set(key, [entry])
      }
    }
  }

  match(request: RoutableRequest): RouteMatch<Value> | undefined {
    const search = new Search<Value>(request)
    const { host } = request
    if (this.#exact.size > 0) search.table(this.#exact.get(host))
    if (this.#wildcard.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        search.table(this.#wildcard.get(host.substring(dot + 1)))
      }
    }
    search.table(this.#any)
    return search.best && { value: search.best.value, matchedLength: search.matchedLength }
  }

  #table(host: string): HostTable<Value> {
    if (host === '') return this.#any
    const [tables, key] = host.startsWith('*.') ? [this.#wildcard, host.substring(2)] : [this.#exact, host]
    let table = tables.get(key)
    if (!table) {
      table = { prefixes: new Map(), patterns: [] }
      tables.set(key, table)
    }
    return table
  }
}

class Search<Value> {
  best: Entry<Value> | undefined
  matchedLength = 0
  readonly #request: RoutableRequest

  constructor(request: RoutableRequest) {
    this.#request = request
  }

  table(table: HostTable<Value> | undefined): void {
    if (!table) return
    this.#patterns(table.patterns)
    const { path } = this.#request
    for (let end = path.length; end >= 0; end = path.lastIndexOf('/', end - 1)) {
      this.#prefix(table.prefixes.get(end === path.length ? path : path.substring(0, end)), end)
      if (end === 0) break
    }
  }

  #prefix(entries: Entry<Value>[] | undefined, length: number): void {
    const entry = entries?.find((entry) => this.#accepts(entry.route))
    if (entry) this.#take(entry, length)
  }

  #patterns(entries: Entry<Value>[]): void {
    for (const entry of entries) {
      if (this.best && entry.rank > this.best.rank) return
      if (!this.#accepts(entry.route)) continue
      const match = entry.pattern!.exec(this.#request.path)
      if (match) return this.#take(entry, match[0].length)
    }
  }

  #take(entry: Entry<Value>, length: number): void {
    if (this.best && this.best.rank < entry.rank) return
    this.best = entry
    this.matchedLength = length
  }

  #accepts(route: CompiledRoute): boolean {
    const request = this.#request
    if (route.methods.length > 0 && !route.methods.includes(request.method)) return false
    return route.headers.every(([name, values]) => {
      const value = request.header(name)
      return value !== undefined && values.includes(value)
    })
  }
}

interface Candidate {
  readonly route: CompiledRoute
  readonly host: string
  readonly path: PathMatcher
}

function compareEntries(a: Candidate, b: Candidate): number {
  return (
    b.route.priority - a.route.priority ||
    hostRank(a.host) - hostRank(b.host) ||
    pathRank(a.path) - pathRank(b.path) ||
    b.route.headers.length - a.route.headers.length ||
    Number(b.route.methods.length > 0) - Number(a.route.methods.length > 0)
  )
}

/** Lower is more specific; names are at most 253 characters long. */
function hostRank(host: string): number {
  if (host === '') return 1_000
  return host.startsWith('*.') ? 500 - host.length : 0
}

function pathRank(path: PathMatcher): number {
  return path.kind === 'regex' ? -1_000_000 - path.source.length : -path.path.length
}
