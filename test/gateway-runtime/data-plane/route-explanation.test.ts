import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type AskedRequest,
  explainRoute,
  RequestNotRoutable,
} from '../../../gateway-runtime/src/data-plane/route-explanation.ts'
import { compileRoutes, type Definition, definitions, naiveMatch, request } from './generated-routes.ts'

const explain = (routes: readonly Definition[], url: string, more: Partial<AskedRequest> = {}) =>
  explainRoute(compileRoutes(routes), { method: 'GET', url, ...more })

const routes: Definition[] = [
  { name: 'all', paths: ['/'] },
  { name: 'v1', paths: ['/v1'], hosts: ['*.example.com'] },
  { name: 'beta', paths: ['/v1'], headers: { 'X-Beta': ['~.'] }, query: { page: ['2'] } },
  { name: 'post', paths: ['=/v1/orders'], methods: ['POST'] },
]

describe('an explanation', () => {
  test('lists the ways into routes by precedence, each with the first condition that is not met', () => {
    const { candidates, omitted } = explain(routes, 'http://api.example.org/v1/orders', {
      headers: { 'X-BETA': '1' },
    })
    expect(candidates.map(({ route, unmet }) => [route, unmet])).toEqual([
      ['v1', 'host'],
      ['post', 'method'],
      ['beta', 'query page'],
      ['all', null],
    ])
    expect(candidates[0]).toEqual({
      route: 'v1',
      service: 'service-v1',
      priority: 0,
      host: '*.example.com',
      path: '/v1',
      matches: false,
      unmet: 'host',
    })
    expect(omitted).toBe(0)
  })

  test('says what the target is asked for, and sees the URL as the gateway would', () => {
    expect(explain(routes, 'HTTPS://API.Example.com:8443/v1/./x/%6f?a=%41')).toMatchObject({
      request: { host: 'api.example.com', path: '/v1/x/o', query: '?a=%41' },
      winner: { route: 'v1', service: 'service-v1', upstream_path: '/x/o?a=%41' },
    })
    expect(explain(routes, 'http://h').request).toMatchObject({ host: 'h', path: '/' })
    expect(explain(routes, '/v1', { headers: { Host: 'a.example.com:80' } }).winner?.route).toBe('v1')
  })

  test('has no winner where nothing matches', () => {
    expect(explain(routes.slice(1), '/v2')).toMatchObject({ winner: null, candidates: { length: 3 } })
    expect(explain([], '/')).toMatchObject({ winner: null, candidates: [] })
  })

  test.each(['', 'v1', '/a/../..', '/%2f', '/a#b', 'ftp://h/a'])('refuses the URL %j', (url) => {
    expect(() => explain(routes, url)).toThrow(RequestNotRoutable)
  })

  test('of many routes it lists those whose host and path match', () => {
    const many = Array.from({ length: 150 }, (_, index) => ({ name: `r${index}`, paths: [`/p${index}`] }))
    const { candidates, omitted, winner } = explain([...many, ...routes], '/p7')
    expect(candidates.map(({ route }) => route)).toEqual(['r7', 'all'])
    expect(omitted).toBe(152)
    expect(winner?.route).toBe('r7')
  })

  test('names the route that gets the request', () => {
    fc.assert(
      fc.property(definitions, request, (all, { path, host, method, headers, query }) => {
        const url = `http://${host}${path}?${new URLSearchParams(query)}`
        const { winner } = explain(all, url, { method, headers })
        expect(winner?.route).toBe(naiveMatch(all, { path, host, method, headers, query })?.value)
      }),
      { numRuns: 1_000 },
    )
  })
})
