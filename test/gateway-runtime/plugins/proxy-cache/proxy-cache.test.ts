import type { IncomingMessage, RequestListener } from 'node:http'
import { afterEach, describe, expect, test } from '@jest/globals'
import { request } from 'undici'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Started {
  readonly gateway: TestGateway
  readonly upstream: Upstream
  get(path?: string, headers?: Record<string, string>): Promise<Response>
}

async function start(handler: RequestListener, config: object = {}, more: object = {}): Promise<Started> {
  const upstream = await startUpstream(handler)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url, retries: 0 }],
      routes: [{ name: 'all', service: 'service', paths: ['/'] }],
      plugins: [{ name: 'proxy-cache', config }],
      ...more,
    },
  })
  ended.push(() => gateway.stop())
  return { gateway, upstream, get: (path = '/', headers = {}) => fetch(`${gateway.url}${path}`, { headers }) }
}

/** Answers with these headers and a count of requests. */
function counting(headers: Record<string, string>): RequestListener {
  let count = 0
  return (_, response) => {
    response.writeHead(200, headers)
    response.end(`answer ${++count}`)
  }
}

const statusOf = (response: Response) => response.headers.get('cache-status')
const textOf = async (response: Promise<Response>) => (await response).text()

describe('what is fresh', () => {
  test('is given to others, with its age', async () => {
    const { get, upstream } = await start(
      counting({ 'cache-control': 'max-age=100', age: '30', 'x-own': 'kept' }),
    )
    const first = await get()
    expect(statusOf(first)).toBe('Gatehouse; fwd=miss; stored')
    expect(await first.text()).toBe('answer 1')
    const second = await get()
    expect(statusOf(second)).toMatch(/^Gatehouse; hit; ttl=(70|69)$/)
    expect(Number(second.headers.get('age'))).toBeGreaterThanOrEqual(30)
    expect(second.headers.get('x-own')).toBe('kept')
    expect(await second.text()).toBe('answer 1')
    expect(await textOf(get('/?other'))).toBe('answer 2')
    expect(upstream.requests).toHaveLength(2)
  })

  test('answers HEAD, conditions and ranges too', async () => {
    const { gateway, get, upstream } = await start(
      counting({ 'cache-control': 'max-age=100', etag: '"one"', 'content-type': 'text/plain' }),
    )
    await textOf(get())
    const head = await fetch(gateway.url, { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe('8')
    expect(statusOf(head)).toContain('hit')
    const unchanged = await request(gateway.url, { headers: { 'if-none-match': 'W/"zero", "one"' } })
    expect(unchanged.statusCode).toBe(304)
    expect(unchanged.headers.etag).toBe('"one"')
    const part = await get('/', { range: 'bytes=-1' })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe('bytes 7-7/8')
    expect(await part.text()).toBe('1')
    expect((await get('/', { range: 'bytes=8-' })).status).toBe(416)
    const other = await request(gateway.url, { headers: { range: 'bytes=0-1', 'if-range': '"two"' } })
    expect(other.statusCode).toBe(200)
    expect(upstream.requests).toHaveLength(1)
  })

  test('is not given to who asks for something newer, unless that counts for nothing', async () => {
    const strict = await start(counting({ 'cache-control': 'max-age=100' }))
    await textOf(strict.get())
    expect(await textOf(strict.get('/', { 'cache-control': 'no-cache' }))).toBe('answer 2')
    const lenient = await start(counting({ 'cache-control': 'max-age=100' }), {
      ignore_client_cache_control: true,
    })
    await textOf(lenient.get())
    expect(await textOf(lenient.get('/', { 'cache-control': 'no-cache' }))).toBe('answer 1')
  })

  test('is kept apart by what Vary names', async () => {
    const { get } = await start((request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=100', vary: 'Accept-Language' })
      response.end(`${request.headers['accept-language']} ${Math.random()}`)
    })
    const ask = (language: string) => textOf(get('/', { 'accept-language': language }))
    const english = await ask('en')
    const german = await ask('de')
    expect(german).toMatch(/^de /)
    expect(await ask('en')).toBe(english)
    expect(await ask('de')).toBe(german)
  })

  test('is forgotten when its resource is changed', async () => {
    const { gateway, get } = await start(counting({ 'cache-control': 'max-age=100', vary: 'accept' }))
    await textOf(get())
    expect(await textOf(get())).toBe('answer 1')
    await (await fetch(gateway.url, { method: 'POST', body: 'x' })).text()
    expect(await textOf(get())).toBe('answer 3')
  })

  test('is shared by the workers of a node', async () => {
    const { get, upstream } = await start(counting({ 'cache-control': 'max-age=100' }), {}, { workers: 2 })
    await textOf(get())
    for (let round = 0; round < 20; round++)
      expect(await textOf(get('/', { connection: 'close' }))).toBe('answer 1')
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('what is not kept', () => {
  test.each([
    [{ 'cache-control': 'no-store' }],
    [{ 'cache-control': 'private, max-age=100' }],
    [{ 'cache-control': 'max-age=100', 'set-cookie': 'a=1' }],
    [{ 'cache-control': 'max-age=100', vary: '*' }],
    [{ 'cache-control': 'max-age=0' }],
    [{}],
  ] as Record<string, string>[][])('%j', async (headers) => {
    const { get } = await start(counting(headers!))
    expect(await textOf(get())).toBe('answer 1')
    expect(await textOf(get())).toBe('answer 2')
  })

  test('for requests with Authorization, unless it is public', async () => {
    const { get } = await start((request, response) => {
      const isPublic = request.url === '/public'
      response.writeHead(200, { 'cache-control': isPublic ? 'public, max-age=100' : 'max-age=100' })
      response.end(String(Math.random()))
    })
    const ask = (path: string) => textOf(get(path, { authorization: 'Basic eDp5' }))
    expect(await ask('/own')).not.toBe(await ask('/own'))
    expect(await ask('/public')).toBe(await ask('/public'))
  })

  test('for another consumer', async () => {
    const handler: RequestListener = (request: IncomingMessage, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=100' })
      response.end(`for ${request.headers['x-consumer-username']}`)
    }
    const credentials = (key: string) => ({ 'key-auth': [{ key }] })
    const { get } = await start(
      handler,
      {},
      {
        consumers: [
          { name: 'ada', credentials: credentials('the-key-of-ada') },
          { name: 'bob', credentials: credentials('the-key-of-bob') },
        ],
        plugins: [{ name: 'key-auth' }, { name: 'proxy-cache' }],
      },
    )
    expect(await textOf(get('/', { apikey: 'the-key-of-ada' }))).toBe('for ada')
    expect(await textOf(get('/', { apikey: 'the-key-of-bob' }))).toBe('for bob')
    expect((await get()).status).toBe(401)
  })

  test('an answer that breaks off', async () => {
    let count = 0
    const { get } = await start((_, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=100', 'content-length': '10' })
      if (++count > 1) return void response.end('0123456789')
      response.write('01234')
      response.socket!.destroySoon()
    })
    await expect(textOf(get())).rejects.toThrow()
    expect(await textOf(get())).toBe('0123456789')
  })
})

describe('what is past its time', () => {
  test('is confirmed by the service', async () => {
    const { get, upstream } = await start((request, response) => {
      const isKnown = request.headers['if-none-match'] === '"one"'
      response.writeHead(isKnown ? 304 : 200, {
        'cache-control': 'max-age=10, stale-if-error=100',
        etag: '"one"',
        age: isKnown ? '0' : '11',
        'x-round': isKnown ? 'confirmed' : 'first',
      })
      response.end(isKnown ? undefined : 'the answer')
    })
    await textOf(get())
    const confirmed = await get()
    expect(confirmed.status).toBe(200)
    expect(statusOf(confirmed)).toBe('Gatehouse; fwd=stale; fwd-status=304')
    expect(confirmed.headers.get('x-round')).toBe('confirmed')
    expect(await confirmed.text()).toBe('the answer')
    const hit = await get()
    expect(statusOf(hit)).toContain('hit')
    expect(await hit.text()).toBe('the answer')
    expect(upstream.requests).toHaveLength(2)
  })

  test('is given at once and made new behind, where the service allows it', async () => {
    let count = 0
    const { get, upstream } = await start((_, response) => {
      response.writeHead(200, {
        'cache-control': 'max-age=10, stale-while-revalidate=1000',
        age: count === 0 ? '11' : '0',
      })
      response.end(`answer ${++count}`)
    })
    await textOf(get())
    expect(await textOf(get())).toBe('answer 1')
    await eventually('the new answer', async () => (await textOf(get())) === 'answer 2')
    expect(upstream.requests).toHaveLength(2)
  })

  test.each([
    [
      'that answers 500',
      (_: IncomingMessage, response: Parameters<RequestListener>[1]) => void response.writeHead(500).end(),
    ],
    [
      'that breaks off',
      (_: IncomingMessage, response: Parameters<RequestListener>[1]) => void response.destroy(),
    ],
  ])('is given in the place of a service %s', async (_, fail) => {
    let count = 0
    const { get } = await start((request, response) => {
      if (++count > 1) return fail(request, response)
      response.writeHead(200, { 'cache-control': 'max-age=10, stale-if-error=1000', age: '11' })
      response.end('the answer')
    })
    await textOf(get())
    const stale = await get()
    expect(stale.status).toBe(200)
    expect(await stale.text()).toBe('the answer')
  })
})

describe('many who ask for the same', () => {
  const many = 20
  const areWaiting = (gateway: TestGateway) =>
    eventually('so many wait', async () => {
      const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
      return metrics.includes(`event="collapsed"} ${many}`)
    })

  test.each([1, 3])('wait for one, over workers: %i', async (workers) => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { gateway, get, upstream } = await start(
      (_, response) => {
        onAsked()
        void released.then(() => {
          response.writeHead(200, { 'cache-control': 'max-age=100' })
          response.end('one answer')
        })
      },
      {},
      { workers },
    )
    const first = textOf(get())
    await asked
    const others = Array.from({ length: many }, () => textOf(get()))
    await areWaiting(gateway)
    release()
    expect(await Promise.all([first, ...others])).toEqual(Array(many + 1).fill('one answer'))
    expect(upstream.requests).toHaveLength(1)
  })

  test('wait for the one that has it confirmed, when its time is over', async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { gateway, get, upstream } = await start((request, response) => {
      if (request.headers['if-none-match'] === undefined) {
        const headers = { 'cache-control': 'max-age=1, stale-if-error=1000', age: '2', etag: '"one"' }
        return void response.writeHead(200, headers).end('one answer')
      }
      onAsked()
      const confirmed = { 'cache-control': 'max-age=100', age: '0', etag: '"one"' }
      void released.then(() => response.writeHead(304, confirmed).end())
    })
    await textOf(get())
    const first = textOf(get())
    await asked
    const others = Array.from({ length: many }, () => textOf(get()))
    await areWaiting(gateway)
    release()
    expect(await Promise.all([first, ...others])).toEqual(Array(many + 1).fill('one answer'))
    expect(upstream.requests.length).toBe(2)
  })

  test('do not wait for what could not be kept a moment ago', async () => {
    let release = () => {}
    const held: (() => void)[] = []
    const { get, upstream } = await start((_, response) => {
      const answer = () => response.writeHead(200, { 'cache-control': 'no-store' }).end('own')
      if (upstream.requests.length === 1) return answer()
      held.push(answer)
      if (held.length === many) release()
    })
    await textOf(get())
    const all = new Promise<void>((resolve) => {
      release = resolve
    })
    const answers = Array.from({ length: many }, () => textOf(get()))
    await all
    for (const answer of held) answer()
    expect(await Promise.all(answers)).toEqual(Array(many).fill('own'))
  })
})
