import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { identicalRoutes, unreachableRoutes } from '../../../gateway-runtime/src/config/unreachable-routes.ts'
import {
  compileRoutes,
  type Definition,
  definitions,
  naiveMatch,
  request,
} from '../data-plane/generated-routes.ts'

/** A line for each route that is found: `b: GET http://h/v1 goes to a`. */
const found = (...routes: readonly Definition[]) =>
  unreachableRoutes(compileRoutes(routes)).map(
    ({ route, by, request }) => `${route.name}: ${request} goes to ${by.name}`,
  )

describe('a route is never reached', () => {
  test.each<
    [what: string, first: Omit<Definition, 'name'>, second: Omit<Definition, 'name'>, request: string]
  >([
    ['behind its like', { paths: ['/v1'] }, { paths: ['/v1/'] }, 'GET http://example.com/v1'],
    [
      'behind any path',
      { priority: 1, methods: ['GET', 'PUT'] },
      { paths: ['/v1'], methods: ['PUT'] },
      'PUT http://example.com/v1',
    ],
    [
      'behind a shorter prefix',
      { paths: ['/a'], priority: 1 },
      { paths: ['/a/b', '=/a', '=/a/'] },
      'GET http://example.com/a',
    ],
    [
      'behind a wildcard',
      { hosts: ['*.x'], priority: 1 },
      { hosts: ['a.x', '*.b.x'], paths: ['/p'] },
      'GET http://a.x/p',
    ],
    ['behind any host', { paths: ['/'], priority: 1 }, { hosts: ['*.x'] }, 'GET http://www.x/'],
    ['behind an expression', { paths: ['~/a'] }, { paths: ['/a/b'] }, 'GET http://example.com/a/b'],
    [
      'exactly what an expression takes',
      { paths: ['~/a$'], priority: 1 },
      { paths: ['=/a'] },
      'GET http://example.com/a',
    ],
    [
      'an expression behind a prefix',
      { paths: ['/a'], priority: 1 },
      { paths: ['~/a/(?:b|c)/[^/]+/\\d{2}$'] },
      'GET http://example.com/a/b/a/11',
    ],
    [
      'an expression behind its like',
      { paths: ['~/a$'] },
      { paths: ['~/a$'], methods: ['GET'], priority: -1 },
      'GET http://example.com/a',
    ],
    [
      'behind fewer conditions',
      { headers: { 'X-A': ['~b'] }, priority: 1 },
      { headers: { 'x-a': ['bc', '~bd+$'] }, query: { q: ['a b'] } },
      'GET http://example.com/?q=a+b with x-a: bc',
    ],
  ])('%s', (_, first, second, request) => {
    expect(found({ name: 'a', ...first }, { name: 'b', ...second })).toEqual([`b: ${request} goes to a`])
  })

  test('where others together take each of its paths; the request says which of them gets it', () => {
    expect(
      found(
        { name: 'a', paths: ['/a'], priority: 1 },
        { name: 'b', paths: ['/b'], priority: 2 },
        { name: 'c', paths: ['/b/c', '/a/c'] },
        { name: 'd', paths: ['/b/c'], priority: 3, hosts: ['example.com'] },
      ),
    ).toEqual(['c: GET http://example.com/b/c goes to d'])
  })
})

test.each<[what: string, first: Omit<Definition, 'name'>, second: Omit<Definition, 'name'>]>([
  ['that comes first', { paths: ['/a'] }, { paths: ['/a'], methods: ['GET'] }],
  ['of other segments', { paths: ['/a'], priority: 1 }, { paths: ['/ab'] }],
  ['of a wider path', { paths: ['=/a'] }, { paths: ['/a'] }],
  ['of more methods', { methods: ['GET'], priority: 1 }, { methods: ['GET', 'PUT'] }],
  ['of any method', { methods: ['GET'], priority: 1 }, { paths: ['/'] }],
  ['of the name that a wildcard does not take', { hosts: ['*.x'], priority: 1 }, { hosts: ['x'] }],
  ['of more values', { headers: { a: ['1'] }, priority: 1 }, { headers: { a: ['1', '2'] } }],
  ['of another header', { headers: { a: ['1'] }, priority: 1 }, { headers: { b: ['1'] } }],
  ['of a parameter in place of a header', { headers: { a: ['1'] }, priority: 1 }, { query: { a: ['1'] } }],
  ['behind an expression with an end', { paths: ['~/a$'], priority: 1 }, { paths: ['/a'] }],
  ['behind an expression with a boundary', { paths: ['~/a\\b'], priority: 1 }, { paths: ['/a'] }],
  ['whose expression has alternatives', { paths: ['/a'], priority: 1 }, { paths: ['~/a/b|/c'] }],
  ['whose expression goes on', { paths: ['/a'], priority: 1 }, { paths: ['~/a'] }],
  ['whose expression repeats', { paths: ['/a'], priority: 1 }, { paths: ['~/a/*b'] }],
])('a route is not reported: one %s', (_, first, second) => {
  expect(found({ name: 'a', ...first }, { name: 'b', ...second })).toEqual([])
})

test('no route that a request reaches is ever reported, and the requests that are named go where is said', () => {
  let reported = 0
  fc.assert(
    fc.property(definitions, fc.array(request, { minLength: 20, maxLength: 20 }), (routes, requests) => {
      const unreachable = unreachableRoutes(compileRoutes(routes))
      reported += unreachable.length
      const names = unreachable.map(({ route }) => route.name)
      for (const asked of requests) expect(names).not.toContain(naiveMatch(routes, asked)?.value)
      for (const { route, by, request } of unreachable) {
        if (request === undefined) continue
        const [target, ...fields] = request.split(' with ')
        const [method, text] = target!.split(' ') as [string, string]
        const { hostname: host, pathname: path, searchParams } = new URL(text)
        const query = Object.fromEntries(searchParams)
        const headers = Object.fromEntries(fields.map((field) => field.split(': ')))
        const asked = { method, host, path, query, headers }
        expect(naiveMatch(routes, asked)?.value).toBe(by.name)
        expect(
          naiveMatch(
            routes.filter(({ name }) => name === route.name),
            asked,
          )?.value,
        ).toBe(route.name)
      }
    }),
    { numRuns: 1_500 },
  )
  expect(reported).toBeGreaterThan(100)
})

test('routes that ask for the same to the letter are pairs, however that is written', () => {
  const one = { paths: ['/a', '/b/'], headers: { A: ['1', '2'], b: ['3'] }, methods: ['GET', 'PUT'] }
  const other = { paths: ['/b', '/a'], headers: { B: ['3'], a: ['2', '1'] }, methods: ['PUT', 'GET'] }
  const pairs = identicalRoutes(
    compileRoutes([
      { name: 'one', ...one },
      { name: 'not', ...one, priority: 1 },
      { name: 'nor', ...one, paths: ['/a', '=/b/'] },
      { name: 'other', ...other },
      { name: 'last', ...other },
    ]),
  )
  expect(pairs.map((pair) => pair.map(({ name }) => name))).toEqual([
    ['one', 'other'],
    ['one', 'last'],
  ])
})
