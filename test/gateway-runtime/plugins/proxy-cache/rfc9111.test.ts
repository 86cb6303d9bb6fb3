import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { request } from 'undici'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

/*
 * What RFC 9111 says of shared caches, section by section: a service that answers as each case says, and what the
 * second request for the same is given. Answers that are past their time are made so by their Age or Date.
 */

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

let upstream: Upstream
let gateway: TestGateway
let handler: Handler
let count = 0
let path = '/'
let paths = 0

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => handler(incoming, response, ++count))
  gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url, retries: 0 }],
      routes: [
        { name: 'read', service: 'service', paths: ['/'], methods: ['GET', 'HEAD'] },
        { name: 'write', service: 'service', paths: ['/'] },
      ],
      consumers: ['ada', 'bob'].map((name) => ({
        name,
        credentials: { 'key-auth': [{ key: `the-key-of-${name}` }] },
      })),
      plugins: [
        { name: 'key-auth', config: { anonymous: true } },
        { name: 'proxy-cache', config: { default_ttl: 0 } },
      ],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})
beforeEach(() => {
  path = `/case-${++paths}`
  count = 0
})

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

async function ask(
  headers: Record<string, string> = {},
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS' = 'GET',
  at = path,
): Promise<Answer> {
  const answer = await request(`${gateway.url}${at}`, { method, headers })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

/** Answers with these headers and which request it was. */
const answering =
  (headers: Record<string, string>, status = 200): Handler =>
  (_, response, number) =>
    void response.writeHead(status, headers).end(`answer ${number}`)

const at = (milliseconds: number) => new Date(Date.now() + milliseconds).toUTCString()
const hour = 3_600_000

describe('freshness (section 4.2)', () => {
  test.each<[string, Record<string, string>, boolean]>([
    ['max-age', { 'cache-control': 'max-age=100' }, true],
    ['max-age that has passed on the way', { 'cache-control': 'max-age=100', age: '100' }, false],
    ['s-maxage before max-age', { 'cache-control': 'max-age=0, s-maxage=100' }, true],
    ['s-maxage before max-age, the other way', { 'cache-control': 'max-age=100, s-maxage=0' }, false],
    ['max-age before Expires', { 'cache-control': 'max-age=100', expires: at(-hour) }, true],
    ['Expires', { expires: at(hour) }, true],
    ['Expires that is past', { expires: at(-hour) }, false],
    ['Expires that is no date', { expires: '0' }, false],
    ['a tenth of the time since Last-Modified', { 'last-modified': at(-100 * hour) }, true],
    ['nothing', {}, false],
    ['names in capitals, and values in quotes', { 'Cache-Control': 'MAX-AGE="100"' }, true],
    ['what is not known', { 'cache-control': 'max-age=100, something=else' }, true],
  ])('%s', async (_, headers, isFresh) => {
    handler = answering(headers)
    await ask()
    expect((await ask()).text).toBe(isFresh ? 'answer 1' : 'answer 2')
  })

  test.each<[string, string]>([
    ['max-age', 'max-age=10'],
    ['min-fresh', 'min-fresh=80'],
    ['no-cache', 'no-cache'],
  ])('of a request: %s', async (_, directive) => {
    handler = answering({ 'cache-control': 'max-age=100', age: '30' })
    await ask()
    expect((await ask({ 'cache-control': directive })).text).toBe('answer 2')
  })

  test('of a request: max-stale, unless the answer must be confirmed', async () => {
    handler = answering({ 'cache-control': 'max-age=100, stale-if-error=1000', age: '110' })
    await ask()
    expect((await ask({ 'cache-control': 'max-stale=60' })).text).toBe('answer 1')
    path += '-must'
    handler = answering({ 'cache-control': 'max-age=100, must-revalidate', age: '110' })
    await ask()
    expect((await ask({ 'cache-control': 'max-stale=60' })).text).not.toBe('answer 1')
  })

  test('of a request: only-if-cached', async () => {
    handler = answering({ 'cache-control': 'max-age=100' })
    expect((await ask({ 'cache-control': 'only-if-cached' })).status).toBe(504)
    await ask()
    expect((await ask({ 'cache-control': 'only-if-cached' })).text).toBe('answer 1')
  })
})

describe('storing (section 3)', () => {
  test.each<[string, Record<string, string>, number, boolean]>([
    ['no-store', { 'cache-control': 'no-store, max-age=100' }, 200, false],
    ['private', { 'cache-control': 'private, max-age=100' }, 200, false],
    ['404 that says how long', { 'cache-control': 'max-age=100' }, 404, true],
    ['301', { 'cache-control': 'max-age=100', location: '/elsewhere' }, 301, true],
    ['500 that says how long', { 'cache-control': 'no-store' }, 500, false],
    ['206', { 'cache-control': 'max-age=100', 'content-range': 'bytes 0-7/100' }, 206, false],
    ['Vary: *', { 'cache-control': 'max-age=100', vary: 'accept, *' }, 200, false],
  ])('%s', async (_, headers, status, isStored) => {
    handler = answering(headers, status)
    await ask()
    const second = await ask()
    expect([second.status, second.text]).toEqual([status, isStored ? 'answer 1' : 'answer 2'])
  })

  test.each([
    ['max-age=100', false],
    ['public, max-age=100', true],
    ['s-maxage=100', true],
    ['must-revalidate, max-age=100', true],
  ])('of a request with Authorization (section 3.5): %s', async (directive, isStored) => {
    handler = answering({ 'cache-control': directive })
    const headers = { authorization: 'Basic eDp5' }
    await ask(headers)
    expect((await ask(headers)).text).toBe(isStored ? 'answer 1' : 'answer 2')
  })

  test('a request that says no-store', async () => {
    handler = answering({ 'cache-control': 'max-age=100' })
    await ask({ 'cache-control': 'no-store' })
    expect((await ask()).text).toBe('answer 2')
  })
})

describe('validation (section 4.3)', () => {
  const validated =
    (validator: Record<string, string>, condition: string, directives: string): Handler =>
    (incoming, response, number) => {
      const isKnown = incoming.headers[condition] === Object.values(validator)[0]
      const headers = { ...validator, 'cache-control': directives, age: number === 1 ? '101' : '0' }
      response.writeHead(isKnown ? 304 : 200, headers).end(isKnown ? undefined : `answer ${number}`)
    }

  test.each([
    ['a strong tag', { etag: '"one"' }, 'if-none-match'],
    ['a weak tag', { etag: 'W/"one"' }, 'if-none-match'],
    ['a date', { 'last-modified': 'Tue, 01 Jan 2019 00:00:00 GMT' }, 'if-modified-since'],
  ])('by %s', async (_, validator, condition) => {
    handler = validated(validator, condition, 'max-age=100, stale-if-error=1000')
    await ask()
    const confirmed = await ask()
    expect([confirmed.status, confirmed.text]).toEqual([200, 'answer 1'])
    expect(confirmed.headers['cache-status']).toBe('Gatehouse; fwd=stale; fwd-status=304')
    expect((await ask()).headers['cache-status']).toMatch(/^Gatehouse; hit; ttl=\d+$/)
    expect(count).toBe(2)
  })

  test('conditions of the client are answered from what is stored (section 4.3.2)', async () => {
    const modified = 'Tue, 01 Jan 2019 00:00:00 GMT'
    handler = answering({ 'cache-control': 'max-age=100', etag: '"one"', 'last-modified': modified })
    await ask()
    expect((await ask({ 'if-none-match': '"one"' })).status).toBe(304)
    expect((await ask({ 'if-none-match': '"two"' })).status).toBe(200)
    expect((await ask({ 'if-modified-since': modified })).status).toBe(304)
    expect((await ask({ 'if-modified-since': 'Mon, 01 Jan 2018 00:00:00 GMT' })).status).toBe(200)
    expect((await ask({ 'if-none-match': '"two"', 'if-modified-since': modified })).status).toBe(200)
    expect(count).toBe(1)
  })
})

describe('what is past its time (section 4.2.4, RFC 5861)', () => {
  const failing =
    (directives: string): Handler =>
    (_, response, number) => {
      if (number > 1) return void response.writeHead(503).end('failed')
      response.writeHead(200, { 'cache-control': directives, age: '101', etag: '"one"' }).end('answer 1')
    }

  test.each([
    ['max-age=100, stale-if-error=1000', 200],
    ['max-age=100, stale-if-error=1000, must-revalidate', 503],
    ['max-age=100, stale-if-error=1000, proxy-revalidate', 503],
    ['max-age=100, stale-if-error=0', 503],
  ])('while the service fails: %s', async (directives, status) => {
    handler = failing(directives)
    await ask()
    expect((await ask()).status).toBe(status)
  })
})

describe('invalidation (section 4.4)', () => {
  const fresh = { 'cache-control': 'max-age=100' }

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'] as const)('by %s, through another route', async (method) => {
    handler = answering(fresh)
    await ask()
    expect((await ask()).text).toBe('answer 1')
    await ask({}, method)
    expect((await ask()).text).toBe('answer 3')
  })

  test('of what was stored for all consumers', async () => {
    handler = answering(fresh)
    const ada = { apikey: 'the-key-of-ada' }
    const bob = { apikey: 'the-key-of-bob' }
    await ask(ada)
    await ask(bob)
    expect([(await ask(ada)).text, (await ask(bob)).text]).toEqual(['answer 1', 'answer 2'])
    await ask(ada, 'PUT')
    expect((await ask(bob)).text).toBe('answer 4')
    expect((await ask(ada)).text).toBe('answer 5')
  })

  test('of what was on its way when it was changed', async () => {
    const asked = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    handler = (incoming, response, number) => {
      const answer = () => response.writeHead(200, fresh).end(`answer ${number}`)
      if (incoming.method !== 'GET' || number > 2) return void answer()
      asked.resolve()
      void released.promise.then(answer)
    }
    const first = ask()
    await asked.promise
    await ask({}, 'POST')
    released.resolve()
    expect((await first).text).toBe('answer 1')
    expect((await ask()).text).toBe('answer 3')
  })

  test.each(['location', 'content-location'])('of what %s names on the same host', async (name) => {
    const [own, other] = [`${path}/items/7`, `${path}/items/8`]
    handler = (incoming, response, number) => {
      const location = incoming.method === 'POST' ? { [name]: `${path}/items/7` } : {}
      response.writeHead(200, { ...fresh, ...location }).end(`answer ${number}`)
    }
    await ask({}, 'GET', own)
    await ask({}, 'GET', other)
    await ask({}, 'POST', `${path}/items`)
    expect((await ask({}, 'GET', own)).text).toBe('answer 4')
    expect((await ask({}, 'GET', other)).text).toBe('answer 2')
  })

  test('not by a method that changes nothing, and not by one that failed', async () => {
    handler = (incoming, response, number) => {
      response.writeHead(incoming.method === 'POST' ? 409 : 200, fresh).end(`answer ${number}`)
    }
    await ask()
    await ask({}, 'OPTIONS')
    await ask({}, 'POST')
    expect((await ask()).text).toBe('answer 1')
  })
})
