import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { CompiledRoute, PathMatcher } from '../../../gateway-runtime/src/config/snapshot.ts'
import { Router } from '../../../gateway-runtime/src/data-plane/router.ts'

type Definition = Partial<Omit<CompiledRoute, 'paths'>> & { name: string; paths?: string[] }

const matcher = (path: string): PathMatcher =>
  path.startsWith('~') ? { kind: 'regex', source: path.substring(1) } : { kind: 'prefix', path }

function routerOf(...definitions: Definition[]) {
  const routes = definitions.map(({ paths = [], ...route }) => ({
    hosts: [],
    methods: [],
    headers: [],
    priority: 0,
    stripPath: true,
    preserveHost: false,
    plugins: [],
    paths: paths.map(matcher),
    ...route,
  }))
  const router = new Router(routes as unknown as CompiledRoute[], (route) => route.name)
  return (
    path: string,
    { method = 'GET', host = 'example.com', headers = {} as Record<string, string> } = {},
  ) => router.match({ path, method, host, header: (name) => headers[name] })
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
      { name: 'beta', paths: ['/a'], headers: [['x-version', ['2', '3']]] },
    )
    expect(match('/a')?.value).toBe('plain')
    expect(match('/a', { method: 'POST' })?.value).toBe('post')
    expect(match('/a', { headers: { 'x-version': '3' } })?.value).toBe('beta')
    expect(match('/a', { headers: { 'x-version': '4' } })?.value).toBe('plain')
  })

  test('agrees with looking at every route in order', () => {
    const segment = fc.constantFrom('a', 'b', 'c')
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
    const definition = fc.record({
      paths: fc.array(path, { minLength: 1, maxLength: 3 }),
      methods: fc.constantFrom<string[]>([], ['GET'], ['POST']),
      priority: fc.integer({ min: 0, max: 2 }),
    })
    fc.assert(
      fc.property(fc.array(definition, { maxLength: 12 }), path, (definitions, asked) => {
        const named = definitions.map((each, index) => ({ ...each, name: String(index) }))
        const candidates = named
          .flatMap((each, order) =>
            each.paths.map((prefix) => ({ ...each, prefix: prefix.replace(/\/$/, ''), order })),
          )
          .filter(({ prefix, methods }) => `${asked}/`.startsWith(`${prefix}/`) && !methods.includes('POST'))
          .sort(
            (one, other) =>
              other.priority - one.priority ||
              other.prefix.length - one.prefix.length ||
              other.methods.length - one.methods.length ||
              one.order - other.order,
          )
        expect(routerOf(...named)(asked)?.value).toBe(candidates[0]?.name)
      }),
    )
  })
})
