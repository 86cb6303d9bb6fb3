import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseTemplate } from '../../../gateway-runtime/src/config/path-template.ts'
import { PathRewriter } from '../../../gateway-runtime/src/data-plane/path-rewriter.ts'
import { normalizeTarget } from '../../../gateway-runtime/src/data-plane/request-path.ts'
import { TrafficSplit } from '../../../gateway-runtime/src/data-plane/traffic-split.ts'
import { upstreamPath } from '../../../gateway-runtime/src/data-plane/upstream-path.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { askHttp2 } from '../../support/http2-request.ts'
import { freePorts } from '../../support/ports.ts'
import { sendRaw, statusOf } from '../../support/raw-client.ts'
import { type Echo, startUpstream, type Upstream } from '../../support/upstream.ts'
import { problemsOf } from '../config/configurations.ts'

let old: Upstream
let next: Upstream
let gateway: TestGateway
let http: number
let h2c: number

beforeAll(async () => {
  ;[old, next] = await Promise.all([startUpstream(), startUpstream()])
  ;[http, h2c] = (await freePorts(2)) as [number, number]
  gateway = await startGateway({
    config: {
      listeners: [http, h2c].map((port) => ({ host: '127.0.0.1', port, http2: port === h2c })),
      services: [
        { name: 'old', url: old.url },
        { name: 'based', url: `${old.url}/base` },
        { name: 'next', url: next.url },
      ],
      routes: [
        { name: 'moved', redirect: { path: '/new$rest' }, paths: ['/moved'] },
        { name: 'secure', redirect: { scheme: 'https', port: 8443, status: 301 }, paths: ['/secure'] },
        {
          name: 'elsewhere',
          redirect: { host: 'other.test', scheme: 'https', path: '/x/$<id>', keep_query: false, status: 302 },
          paths: ['~/by-id/(?<id>[^/]+)$'],
        },
        { name: 'rewritten', service: 'old', paths: ['~/v1/(\\w+)/(.*)'], rewrite: '/v2/$2/of/$1' },
        { name: 'prefix', service: 'old', paths: ['/outer'], rewrite: '/inner$rest' },
        { name: 'within', service: 'based', paths: ['~/within'] },
        { name: 'dots', service: 'old', paths: ['~/dots(.*)'], rewrite: '/a/$1' },
        { name: 'rest', service: 'old', paths: ['~/rest'], rewrite: '/a/$rest' },
        { name: 'dots-elsewhere', redirect: { path: '/a/$rest' }, paths: ['~/go'] },
        { name: 'longest', service: 'old', paths: ['~/two/(a)b', '~/two/a(?:(b)|(c))'], rewrite: '/$1' },
        {
          name: 'half',
          service: 'old',
          paths: ['/half'],
          split: { on: 'header', header: 'X-User', services: [{ service: 'next', percent: 50 }] },
        },
        {
          name: 'cookie',
          service: 'old',
          paths: ['/cookie'],
          split: { on: 'cookie', cookie: 'side', services: [{ service: 'next', percent: 50 }] },
        },
        {
          name: 'all',
          service: 'old',
          paths: ['/all'],
          split: { services: [{ service: 'next', percent: 100 }] },
        },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  for (const upstream of [old, next]) await upstream?.stop()
})

const get = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${http}${path}`, { redirect: 'manual', ...init })
/** The path as it is, which fetch would normalise. */
async function raw(path: string) {
  const text = await sendRaw(http, `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  return { status: statusOf(text), location: /^location: (.*)\r$/m.exec(text)?.[1], ...asObject(body) }
}

const byHttp2 = async (path: string) => {
  const { status, headers, body } = await askHttp2(h2c, { ':path': path })
  return { status, location: headers.location, ...asObject(body) }
}

const asObject = (text: string): Partial<Echo> => (text === '' ? {} : JSON.parse(text))
const seenBy = async (path: string, init: RequestInit = {}) =>
  ((await (await get(path, init)).json()) as Echo).url

describe('a redirect', () => {
  test.each([
    ['/moved/a/b?c=d', 308, '/new/a/b?c=d'],
    ['/moved', 308, '/new'],
    ['/secure/a?b', 301, 'https://127.0.0.1:8443/secure/a?b'],
    ['/by-id/17?a=b', 302, 'https://other.test/x/17'],
  ])('%s', async (path, status, location) => {
    const answer = await get(path)
    expect([answer.status, answer.headers.get('location')]).toEqual([status, location])
    expect(await answer.text()).toBe('')
    expect(answer.headers.get('content-type')).toBeNull()
  })

  test('is a URI, whatever was asked for', async () => {
    const asked = `/secure/a"<b>{|}^?q=%0d%0aSet-Cookie:x&r="<'\``
    const location = "https://h:8443/secure/a%22%3Cb%3E%7B%7C%7D%5E?q=%0d%0aSet-Cookie:x&r=%22%3C'%60"
    expect(await raw(asked)).toMatchObject({ status: 301, location })
  })

  test('by HTTP/2, and in the log', async () => {
    expect(await byHttp2('/moved/by-h2')).toEqual({ status: 308, location: '/new/by-h2' })
    const line = await eventually('the line of the log', async () =>
      (await gateway.accessLog()).find(({ path }) => path === '/moved/by-h2'),
    )
    expect(line).toMatchObject({ status: 308, route: 'moved', code: 'redirected' })
    expect(line).not.toHaveProperty('service')
  })
})

describe('rewriting', () => {
  test.each([
    ['/v1/orders/a/b?c=d', '/v2/a/b/of/orders?c=d'],
    ['/outer/a', '/inner/a'],
    ['/outer', '/inner'],
  ])('%s', async (path, seen) => {
    expect(await seenBy(path)).toBe(seen)
  })

  test('takes the groups of the expression that the route was found by', async () => {
    expect(await seenBy('/two/ab')).toBe('/b')
  })

  test.each([
    ['/dots./secret', '/a/./secret'],
    ['/dots../secret', '/a/../secret'],
    ['/dots%2e%2E/secret', '/a/../secret'],
    ['/dots..', '/a/..'],
    ['/rest../secret', '/a/../secret'],
    ['/within../secret', '/base/../secret'],
    ['/within..', '/base/..'],
    ['/within.', '/base/.'],
    ['/go../secret', '/a/../secret'],
  ])('%s does not become %s', async (path) => {
    const before = old.requests.length
    for (const ask of [raw, byHttp2])
      expect(await ask(path)).toMatchObject({ status: 400, code: 'malformed-request' })
    expect(old.requests).toHaveLength(before)
  })

  test.each([
    ['/within..a/b', '/base/..a/b'],
    ['/within.../b', '/base/.../b'],
    ['/rest/..a', '/a/..a'],
  ])('%s, which is no step, becomes %s', async (path, url) => {
    for (const ask of [raw, byHttp2]) expect(await ask(path)).toMatchObject({ status: 200, url })
  })

  const pieces = fc.constantFrom(
    '/',
    '.',
    '..',
    '/../',
    'a',
    '%2e',
    '%2E%2e',
    '%20',
    ';',
    ':',
    '~',
    '+',
    '%0D%0A',
  )
  /** What the router would hand on of any request that begins with /x. */
  const normalPath = fc
    .array(pieces, { maxLength: 12 })
    .map((parts) => normalizeTarget(`/x${parts.join('')}`))
    .filter((target) => 'path' in target && target.path.startsWith('/x'))
    .map((target) => (target as { path: string }).path)

  test('gives a path in normal form under the text that the template begins with, or none', () => {
    const template = fc.constantFrom(
      '/in/$1',
      '/in/.$1',
      '/in/a/$1$1',
      '/in/$rest',
      '/in/.$rest',
      '/in/$1/..$rest',
    )
    const source = fc.constantFrom('/x(.*)', '/x(.)', '/x([^/]*)', '/x(.*)/')
    fc.assert(
      fc.property(normalPath, template, source, (path, to, source) => {
        const match = new RegExp(`^${source}`).exec(path)
        fc.pre(match !== null)
        const rewriter = new PathRewriter(parseTemplate(to)!, { paths: [{ kind: 'regex', source }] })
        const result = rewriter.rewrite(path, match![0].length)
        if (result === undefined) return
        expect(result).toMatch(/^\/in\/[\x21-\x7e]*$/)
        expect(result).not.toMatch(/[?#\\]/)
        expect(normalizeTarget(result)).toEqual({ path: result, query: '' })
      }),
    )
  })

  test('nor does a path that is cut lead out of that of the service', () => {
    const settings = { route: { stripPath: true }, service: { path: '/base' }, rewriter: undefined }
    fc.assert(
      fc.property(normalPath, fc.nat(6), (path, more) => {
        const result = upstreamPath(settings, { path, query: '' }, Math.min(2 + more, path.length))
        if (result === undefined) return
        expect(result).toMatch(/^\/base(?:\/|$)/)
        expect(result.split('/')).not.toEqual(expect.arrayContaining([expect.stringMatching(/^\.{1,2}$/)]))
      }),
    )
  })
})

describe('a split', () => {
  test('keeps a key with its service, and gives each its part', async () => {
    const before = [old.requests.length, next.requests.length]
    const users = Array.from({ length: 60 }, (_, index) => ({ headers: { 'x-user': `user-${index}` } }))
    const sides = async () =>
      Promise.all(
        users.map(async (user) => {
          await (await get('/half', user)).text()
        }),
      )
    await sides()
    const first = [old.requests.length - before[0]!, next.requests.length - before[1]!]
    await sides()
    const second = [
      old.requests.length - before[0]! - first[0]!,
      next.requests.length - before[1]! - first[1]!,
    ]
    expect(second).toEqual(first)
    expect(Math.min(...first)).toBeGreaterThan(10)
  })

  test('by a cookie that a client without it is given', async () => {
    const answer = await get('/cookie')
    const [cookie] = answer.headers.getSetCookie()
    expect(cookie).toMatch(/^side=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)
    await answer.text()
    const again = await get('/cookie', { headers: { cookie: cookie!.split(';')[0]! } })
    expect(again.headers.getSetCookie()).toEqual([])
    await again.text()
  })

  test('is seen in log and metrics', async () => {
    await (await get('/all?seen')).text()
    const line = await eventually('the line of the log', async () =>
      (await gateway.accessLog()).find(({ path }) => path === '/all'),
    )
    expect(line).toMatchObject({ route: 'all', service: 'next' })
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain('gatehouse_route_requests_total{route="all",service="next",code="2xx"} 1\n')
  })

  test('moves no more keys than it must when percentages change', () => {
    const shares = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 5 })
    fc.assert(
      fc.property(shares, fc.nat(), fc.integer({ min: 1, max: 50 }), (percents, which, more) => {
        const grown = which % percents.length
        const split = (all: readonly number[]) =>
          new TrafficSplit(
            all.map((percent, index) => ({ name: `service-${index}`, destination: index, percent })),
            { kind: 'none' },
          )
        const before = split(percents)
        const after = split(percents.map((percent, index) => (index === grown ? percent + more : percent)))
        for (let key = 0; key < 300; key++) {
          const [from, to] = [before.chooseFor(key * 7_919), after.chooseFor(key * 7_919)]
          if (from !== to) expect(to).toBe(grown)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('follows its percentages', () => {
    const split = new TrafficSplit(
      [70, 20, 10, 0].map((percent, index) => ({ name: `s${index}`, destination: index, percent })),
      { kind: 'none' },
    )
    const counts = [0, 0, 0, 0]
    for (let key = 0; key < 20_000; key++) counts[split.chooseFor(key)]!++
    expect(counts.map((count) => Math.round(count / 400) * 2)).toEqual([70, 20, 10, 0])
  })
})

describe('what is wrong is refused', () => {
  const services = 'services: [{ name: s, url: http://s }]\n'
  test.each([
    ['{ name: r, paths: [/] }', 'a route needs either service or redirect'],
    ['{ name: r, service: s, redirect: {}, paths: [/] }', 'a route needs either service or redirect'],
    ['{ name: r, redirect: { path: /b }, rewrite: /a, paths: [/] }', 'go with service, not with redirect'],
    ['{ name: r, redirect: {}, paths: [/] }', 'leads back to itself'],
    [
      '{ name: r, service: s, rewrite: /a, strip_path: true, paths: [/] }',
      'rewrite says the whole path itself',
    ],
    ['{ name: r, redirect: { path: /a }, strip_path: false, paths: [/] }', 'leave strip_path out'],
    ["{ name: r, service: s, rewrite: '/a/../$rest', paths: [/] }", 'expected a path without'],
    ["{ name: r, service: s, rewrite: '/a/%2e%2e', paths: [/] }", 'expected a path without'],
    ["{ name: r, service: s, rewrite: '/a%2fb', paths: [/] }", 'expected a path without'],
    ['{ name: r, service: s, rewrite: "/a\\rb", paths: [/] }', 'expected a path'],
    ['{ name: r, service: s, rewrite: /é, paths: [/] }', 'expected a path'],
    ['{ name: r, service: s, split: { services: [{ service: s, percent: 1 }] } }', 'leave it out here'],
    [
      '{ name: r, service: s, split: { services: [{ service: t, percent: 1 }, { service: t, percent: 2 }] } }',
      'each service once',
    ],
    ["{ name: r, service: s, paths: [/], rewrite: '/$1' }", 'not every path of the route has a group $1'],
    ["{ name: r, service: s, paths: ['~/(a)', '~/b'], rewrite: '/$1' }", 'has a group $1'],
    ["{ name: r, redirect: { path: '/$<id>' }, paths: ['~/(a)'] }", 'has a group $<id>'],
    ["{ name: r, service: s, rewrite: '/a?b' }", 'expected a path'],
    ["{ name: r, service: s, rewrite: '/$x' }", 'expected a path with $1'],
    ['{ name: r, service: s, mirror: { service: t } }', 'no service is called "t"'],
    [
      '{ name: r, service: s, split: { services: [{ service: t, percent: 1 }] } }',
      'no service is called "t"',
    ],
    [
      '{ name: r, service: s, split: { services: [{ service: s, percent: 60 }, { service: s, percent: 60 }] } }',
      'at most 100 together',
    ],
    [
      '{ name: r, service: s, split: { on: cookie, services: [{ service: s, percent: 1 }] } }',
      'needs cookie',
    ],
  ])('%s', (route, message) => {
    expect(problemsOf(`${services}routes: [${route}]\n`).join('\n')).toContain(message)
  })
})
