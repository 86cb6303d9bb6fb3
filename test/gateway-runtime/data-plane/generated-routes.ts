import fc from 'fast-check'
import { compileConditions } from '../../../gateway-runtime/src/config/route-conditions.ts'
import { routeSchema } from '../../../gateway-runtime/src/config/schema.ts'
import type { CompiledRoute } from '../../../gateway-runtime/src/config/snapshot.ts'
import type { RoutableRequest } from '../../../gateway-runtime/src/data-plane/route-conditions.ts'

/** What tests of matching say of a route. */
export interface Definition {
  readonly name: string
  readonly paths?: readonly string[]
  readonly hosts?: readonly string[]
  readonly methods?: readonly string[]
  readonly headers?: Readonly<Record<string, readonly string[]>>
  readonly query?: Readonly<Record<string, readonly string[]>>
  readonly priority?: number
}

/** Routes as a snapshot has them, each with a service of its own name. */
export const compileRoutes = (definitions: readonly Definition[]): CompiledRoute[] =>
  definitions.map(({ name, ...conditions }) => {
    const route = routeSchema.parse({ name, service: 's', ...conditions })
    return {
      name,
      ...compileConditions(route),
      stripPath: true,
      service: { name: `service-${name}`, path: '' },
    } as unknown as CompiledRoute
  })

const segment = fc.constantFrom('a', 'b', 'ab')
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const written = fc.oneof(
  path,
  path.map((text) => text.replace(/[^/]$/, '$&/')),
  path.map((text) => `=${text}`),
  fc.constantFrom('~/a', '~/a$', '~/[^/]+/b', '~/(?:a|b)+', '~.*'),
)
const host = fc.constantFrom('x.com', 'a.x.com', 'b.a.x.com', 'com')
const value = fc.constantFrom('1', '2', '~.*', '~1')
const conditions = fc.dictionary(fc.constantFrom('p', 'q'), fc.array(value, { minLength: 1, maxLength: 2 }), {
  maxKeys: 2,
})
const definition = fc.record({
  paths: fc.array(written, { maxLength: 3 }),
  hosts: fc.array(
    fc.oneof(
      host,
      host.map((name) => `*.${name}`),
    ),
    { maxLength: 2 },
  ),
  methods: fc.constantFrom<string[]>([], ['GET'], ['POST'], ['GET', 'POST']),
  headers: conditions,
  query: conditions,
  priority: fc.integer({ min: 0, max: 1 }),
})
const given = fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom('1', '2', '12', ''), {
  maxKeys: 2,
})
/** A request that such routes may match. */
export const request = fc.record({
  path,
  host,
  headers: given,
  query: given,
  method: fc.constantFrom('GET', 'POST'),
})
/** Some routes with names; few different conditions, so that they meet each other. */
export const definitions = fc.array(definition, { minLength: 1, maxLength: 12 }).map((all) =>
  all.map((each, index) => ({
    ...each,
    // The schema wants one condition at least.
    paths: Object.values(each).flatMap(Object.keys).length === 0 ? ['/'] : each.paths,
    name: String(index),
  })),
)

/** A request in plain values. */
export interface NaiveRequest {
  readonly path: string
  readonly host: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

export type Full = Required<Definition>

/** Every path of every route with every host, sorted by the rules as they are documented, asked one by one. */
export function naiveMatch(routes: readonly Full[], request: NaiveRequest) {
  const candidates = routes.flatMap((route, order) =>
    (route.hosts.length > 0 ? route.hosts : ['']).flatMap((host) =>
      (route.paths.length > 0 ? route.paths : ['/']).map((path) => ({ route, order, host, path })),
    ),
  )
  const kinds = (path: string) => (path.startsWith('=') ? 0 : path.startsWith('~') ? 1 : 2)
  const trimmed = (path: string) => path.replace(/\/$/, '')
  const conditions = ({ headers, query }: Full) => Object.keys(headers).length + Object.keys(query).length
  const hostKind = (host: string) => (host === '' ? 2 : host.startsWith('*.') ? 1 : 0)
  candidates.sort(
    (a, b) =>
      b.route.priority - a.route.priority ||
      hostKind(a.host) - hostKind(b.host) ||
      (hostKind(a.host) === 1 ? b.host.length - a.host.length : 0) ||
      kinds(a.path) - kinds(b.path) ||
      (kinds(a.path) === 0 ? 0 : trimmed(b.path).length - trimmed(a.path).length) ||
      conditions(b.route) - conditions(a.route) ||
      Number(a.route.methods.length === 0) - Number(b.route.methods.length === 0) ||
      a.order - b.order,
  )
  for (const { route, host, path } of candidates) {
    if (host.startsWith('*.') ? !request.host.endsWith(host.slice(1)) : host !== '' && host !== request.host)
      continue
    const length = naiveLength(path, request.path)
    if (length === undefined) continue
    if (route.methods.length > 0 && !route.methods.includes(request.method)) continue
    if (!naiveValues(route.headers, request.headers) || !naiveValues(route.query, request.query)) continue
    return { value: route.name, matchedLength: length }
  }
  return undefined
}

function naiveLength(path: string, asked: string): number | undefined {
  if (path.startsWith('=')) return path.slice(1) === asked ? asked.length : undefined
  if (path.startsWith('~')) return new RegExp(`^(?:${path.slice(1)})`).exec(asked)?.[0].length
  const prefix = path.replace(/\/$/, '')
  return `${asked}/`.startsWith(`${prefix}/`) ? prefix.length : undefined
}

const naiveValues = (
  wanted: Readonly<Record<string, readonly string[]>>,
  given: Readonly<Record<string, string>>,
) =>
  Object.entries(wanted).every(([name, values]) =>
    values.some((value) => {
      const found = given[name]
      if (found === undefined) return false
      return value.startsWith('~') ? new RegExp(`^(?:${value.slice(1)})`).test(found) : value === found
    }),
  )

/** The same request as a router takes it. */
export const routable = ({ path, host, method, headers, query }: NaiveRequest): RoutableRequest => ({
  path,
  host,
  method,
  query: `?${new URLSearchParams(query)}`,
  header: (name) => headers[name],
})
