import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compileConditions } from '../../../gateway-runtime/src/config/route-conditions.ts'
import { routeSchema } from '../../../gateway-runtime/src/config/schema.ts'
import type { CompiledRoute } from '../../../gateway-runtime/src/config/snapshot.ts'
import { Router } from '../../../gateway-runtime/src/data-plane/router.ts'

interface Definition {
  readonly name: string
  readonly paths?: readonly string[]
  readonly hosts?: readonly string[]
  readonly methods?: readonly string[]
  readonly headers?: Readonly<Record<string, readonly string[]>>
  readonly query?: Readonly<Record<string, readonly string[]>>
  readonly priority?: number
}

function routerOf(...definitions: readonly Definition[]) {
  const routes = definitions.map(({ name, ...conditions }) => {
    // The schema wants one condition at least.
    const route = routeSchema.parse({ name, service: 's', paths: ['/'], ...conditions })
    return { name, ...compileConditions(route) }
  })
  const router = new Router(routes as unknown as CompiledRoute[], (route) => route.name)
  return (
    target: string,
    { method = 'GET', host = 'example.com', headers = {} as Readonly<Record<string, string>> } = {},
  ) => {
    const [path, query] = target.split('?')
    return router.match({
      path: path!,
      query: query === undefined ? '' : `?${query}`,
      method,
      host,
      header: (name) => headers[name],
    })
  }
}

describe('matching by path', () => {
  test('a prefix matches whole segments', () => {
    const match = routerOf({ name: 'v1', paths: ['/v1/api'] })
    expect(match('/v1/api')?.value).toBe('v1')
    expect(match('/v1/api/')?.value).toBe('v1')
    expect(match('/v1/api/orders')).toEqual({ value: 'v1', matchedLength: 7 })
    expect(match('/v1/apis')).toBeUndefined()
    expect(match('/v1')).toBeUndefined()
  })

  test('a slash at the end of a prefix means nothing', () => {
    const match = routerOf({ name: 'v1', paths: ['/v1/'] })
    expect(match('/v1')?.value).toBe('v1')
    expect(match('/v1/x')).toEqual({ value: 'v1', matchedLength: 3 })
  })

  test('the longest prefix wins, and / takes the rest', () => {
    const match = routerOf(
      { name: 'all', paths: ['/'] },
      { name: 'a', paths: ['/a'] },
      { name: 'b', paths: ['/a/b'] },
    )
    expect(match('/a/b/c')?.value).toBe('b')
    expect(match('/a/c')?.value).toBe('a')
    expect(match('/')?.value).toBe('all')
    expect(match('/x')).toEqual({ value: 'all', matchedLength: 0 })
  })

  test('a regular expression is anchored at the beginning and wins over a prefix', () => {
    const match = routerOf({ name: 'all', paths: ['/orders'] }, { name: 'one', paths: ['~/orders/\\d+'] })
    expect(match('/orders/12/items')).toEqual({ value: 'one', matchedLength: 10 })
    expect(match('/orders/x')?.value).toBe('all')
    expect(match('/v1/orders/12')).toBeUndefined()
  })

  test('alternatives of a regular expression are all anchored', () => {
    const match = routerOf({ name: 'r', paths: ['~/a|/b'] })
    expect(match('/b')?.value).toBe('r')
    expect(match('/x/b')).toBeUndefined()
  })
})

describe('exact paths', () => {
  test('match that path alone, and all of it', () => {
    const match = routerOf({ name: 'one', paths: ['=/v1/orders'] })
    expect(match('/v1/orders')).toEqual({ value: 'one', matchedLength: 10 })
    expect(match('/v1/orders/')).toBeUndefined()
    expect(match('/v1/orders/1')).toBeUndefined()
    expect(match('/v1')).toBeUndefined()
  })

  test('come before regular expressions, and these before prefixes', () => {
    const match = routerOf(
      { name: 'prefix', paths: ['/orders/all/long'] },
      { name: 'pattern', paths: ['~/orders/.*'] },
      { name: 'exact', paths: ['=/orders/all/long'] },
    )
    expect(match('/orders/all/long')?.value).toBe('exact')
    expect(match('/orders/all/long/x')?.value).toBe('pattern')
  })
})

describe('matching by header', () => {
  test('takes one of the values, or what a regular expression matches from the beginning', () => {
    const match = routerOf({ name: 'r', headers: { 'X-Tenant': ['a', '~beta-\\d+$'] } })
    const of = (tenant: string) => match('/', { headers: { 'x-tenant': tenant } })?.value
    expect(['a', 'beta-12'].map(of)).toEqual(['r', 'r'])
    expect(['A', 'ab', '', 'beta-12x', 'a-beta-1'].map(of)).toEqual(Array(5).fill(undefined))
    expect(match('/')).toBeUndefined()
  })

  test('all headers must be there', () => {
    const match = routerOf({ name: 'r', headers: { a: ['1'], b: ['~.*'] } })
    expect(match('/', { headers: { a: '1', b: '' } })?.value).toBe('r')
    expect(match('/', { headers: { a: '1' } })).toBeUndefined()
    expect(match('/', { headers: { a: '2', b: '' } })).toBeUndefined()
  })
})

describe('matching by query', () => {
  test.each([
    ['?v=2', true],
    ['?a=1&v=2&b=', true],
    ['?%76=%32', true],
    ['?v=2&v=3', true],
    ['?v=3&v=2', false],
    ['?v=22', false],
    ['?v', false],
    ['?vv=2', false],
    ['?V=2', false],
    ['?x=v=2', false],
    ['?v=%zz', false],
    ['', false],
  ])('%s has v=2: %s', (query, expected) => {
    const match = routerOf({ name: 'r', query: { v: ['2'] } })
    expect(match(`/${query}`)?.value === 'r').toBe(expected)
  })

  test('values are compared decoded, and a broken escape stands for itself', () => {
    const match = routerOf({ name: 'r', query: { 'full name': ['Zoë Ω', '~%zz'] } })
    expect(match('/?full+name=Zo%C3%AB%20%CE%A9')?.value).toBe('r')
    expect(match('/?full%20name=%zz+')?.value).toBe('r')
    expect(match('/?full%20name=Zo')).toBeUndefined()
  })

  test('that a parameter is there is asked for by ~.*', () => {
    const match = routerOf({ name: 'r', query: { debug: ['~.*'] } })
    expect(match('/?debug')?.value).toBe('r')
    expect(match('/?debug=&x')?.value).toBe('r')
    expect(match('/?x=debug')).toBeUndefined()
  })
})

describe('precedence', () => {
  test('priority comes before everything', () => {
    const match = routerOf({ name: 'exact', paths: ['/a/b'] }, { name: 'first', paths: ['/'], priority: 1 })
    expect(match('/a/b')?.value).toBe('first')
  })

  test('an exact host, then the longest wildcard, then any', () => {
    const match = routerOf(
      { name: 'any', paths: ['/a'] },
      { name: 'wide', hosts: ['*.example.com'] },
      { name: 'narrow', hosts: ['*.api.example.com'] },
      { name: 'exact', hosts: ['v1.api.example.com'] },
    )
    expect(match('/a', { host: 'v1.api.example.com' })?.value).toBe('exact')
    expect(match('/a', { host: 'v2.api.example.com' })?.value).toBe('narrow')
    expect(match('/a', { host: 'x.y.example.com' })?.value).toBe('wide')
    expect(match('/a', { host: 'example.com' })?.value).toBe('any')
    expect(match('/b', { host: 'evilexample.com' })).toBeUndefined()
  })

  test('methods and headers narrow a route, and the narrower one is asked first', () => {
    const match = routerOf(
      { name: 'plain', paths: ['/a'] },
      { name: 'post', paths: ['/a'], methods: ['POST'] },
      { name: 'beta', paths: ['/a'], headers: { 'X-Version': ['2', '3'] } },
    )
    expect(match('/a')?.value).toBe('plain')
    expect(match('/a', { method: 'POST' })?.value).toBe('post')
    expect(match('/a', { headers: { 'x-version': '3' } })?.value).toBe('beta')
    expect(match('/a', { headers: { 'x-version': '4' } })?.value).toBe('plain')
  })

  test('more conditions come before fewer, headers and query counted together, then methods', () => {
    const match = routerOf(
      { name: 'post', methods: ['POST'] },
      { name: 'one', headers: { a: ['~.*'] } },
      { name: 'two', headers: { a: ['~.*'] }, query: { q: ['1'] } },
      { name: 'get', query: { q: ['1'] }, methods: ['GET'] },
    )
    expect(match('/?q=1', { headers: { a: '' } })?.value).toBe('two')
    expect(match('/', { headers: { a: '' }, method: 'POST' })?.value).toBe('one')
    expect(match('/?q=1')?.value).toBe('get')
  })

  test('a host with many labels, and a path with many segments, are looked up as others are', () => {
    const match = routerOf({ name: 'r', hosts: ['*.example.com'], paths: ['/a/b'] })
    expect(match(`/a/b${'/a'.repeat(5_000)}`, { host: `${'a.'.repeat(5_000)}example.com` })).toEqual({
      value: 'r',
      matchedLength: 4,
    })
  })

  test('agrees with asking every route in the documented order', () => {
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
    const conditions = fc.dictionary(
      fc.constantFrom('p', 'q'),
      fc.array(value, { minLength: 1, maxLength: 2 }),
      {
        maxKeys: 2,
      },
    )
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
    const request = fc.record({
      path,
      host,
      headers: given,
      query: given,
      method: fc.constantFrom('GET', 'POST'),
    })
    const definitions = fc.array(definition, { minLength: 1, maxLength: 12 }).map((all) =>
      all.map((each, index) => ({
        ...each,
        // The schema wants one condition at least.
        paths: Object.values(each).flatMap(Object.keys).length === 0 ? ['/'] : each.paths,
        name: String(index),
      })),
    )
    fc.assert(
      fc.property(definitions, request, (routes, { path, host, headers, query, method }) => {
        const target = `${path}?${new URLSearchParams(query)}`
        const expected = naiveMatch(routes, { path, host, headers, query, method })
        expect(routerOf(...routes)(target, { host, headers, method })).toEqual(expected)
      }),
      { numRuns: 2_000 },
    )
  })
})

interface NaiveRequest {
  readonly path: string
  readonly host: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

type Full = Required<Definition>

/** Every path of every route with every host, sorted by the rules as they are documented, asked one by one. */
function naiveMatch(routes: readonly Full[], request: NaiveRequest) {
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
