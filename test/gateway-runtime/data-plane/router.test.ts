import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Router } from '../../../gateway-runtime/src/data-plane/router.ts'
import {
  compileRoutes,
  type Definition,
  definitions,
  naiveMatch,
  request,
  routable,
} from './generated-routes.ts'

function routerOf(...routes: readonly Definition[]) {
  const router = new Router(compileRoutes(routes), (route) => route.name)
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
    fc.assert(
      fc.property(definitions, request, (routes, asked) => {
        const router = new Router(compileRoutes(routes), (route) => route.name)
        expect(router.match(routable(asked))).toEqual(naiveMatch(routes, asked))
      }),
      { numRuns: 2_000 },
    )
  })
})
