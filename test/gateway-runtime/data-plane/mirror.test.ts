import { readFile, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { askHttp2 } from '../../support/http2-request.ts'
import { freePort, freePorts } from '../../support/ports.ts'
import { openRaw } from '../../support/raw-client.ts'
import { type Echo, echo, silence, startUpstream, type Upstream } from '../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function upstreamOf(...args: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(...args)
  ended.push(() => upstream.stop())
  return upstream
}

interface Mirrored {
  readonly gateway: TestGateway
  readonly http: string
  readonly h2c: number
}

/** A gateway with a route /NAME to `service` for each mirror. */
async function gatewayFor(
  service: Pick<Upstream, 'url'>,
  shadows: readonly Upstream[],
  mirrors: Record<string, object>,
  { readTimeout = '60s', limits = {} }: { readTimeout?: string; limits?: object } = {},
): Promise<Mirrored> {
  const [http, h2c] = (await freePorts(2)) as [number, number]
  const gateway = await startGateway({
    config: {
      listeners: [http, h2c].map((port) => ({ host: '127.0.0.1', port, http2: port === h2c })),
      services: [
        { name: 'own', url: service.url, retries: 0 },
        ...shadows.map(({ url }, n) => ({ name: `shadow-${n}`, url, retries: 0, read_timeout: readTimeout })),
      ],
      routes: Object.entries(mirrors).map(([name, settings]) => ({
        name,
        service: 'own',
        paths: [`/${name}`],
        mirror: { service: 'shadow-0', ...settings },
      })),
      limits,
    },
  })
  ended.push(() => gateway.stop())
  return { gateway, http: `http://127.0.0.1:${http}`, h2c }
}

type Result = 'sent' | 'too_large' | 'over_limit' | 'incomplete'
async function count({ gateway }: Mirrored, result: Result): Promise<number> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`gatehouse_mirrored_requests_total\\{result="${result}"\\} (\\d+)`).exec(text)![1])
}

const urls = (upstream: Upstream) => upstream.requests.map(({ url }) => url)

describe('a copy', () => {
  /** What services were sent, without what says over which connection. */
  const seen = ({ method, url, headers: { host: _, ...headers } }: IncomingMessage, body: string) => ({
    method,
    url,
    headers,
    body,
  })

  test('is equal to the request, by HTTP/1.1 and HTTP/2', async () => {
    const arrived: Record<'own' | 'shadow', ReturnType<typeof seen>[]> = { own: [], shadow: [] }
    const record = (side: 'own' | 'shadow'): Parameters<typeof startUpstream>[0] => {
      return (request, response) => {
        let body = ''
        request.setEncoding('latin1')
        request.on('data', (text: string) => {
          body += text
        })
        request.on('end', () => {
          arrived[side].push(seen(request, body))
          response.end(side)
        })
      }
    }
    const [own, shadow] = [await upstreamOf(record('own')), await upstreamOf(record('shadow'))]
    const { http, h2c } = await gatewayFor(own, [shadow], { a: {} })
    const headers = { 'x-own': '1', cookie: 'c=1', 'user-agent': 'test' }
    const pieces = ReadableStream.from([Buffer.from('first '), Buffer.from('last')])
    const answers = [
      await (await fetch(`${http}/a/get?q=1`, { headers })).text(),
      await (await fetch(`${http}/a/put`, { method: 'PUT', headers, body: 'x'.repeat(65_536) })).text(),
      await (
        await fetch(`${http}/a/chunks`, { method: 'POST', headers, body: pieces, duplex: 'half' })
      ).text(),
      (await askHttp2(h2c, { ':path': '/a/get2?q=2', ...headers })).body,
      (await askHttp2(h2c, { ':path': '/a/post2', ':method': 'POST', ...headers }, 'y'.repeat(40_000))).body,
    ]
    expect(answers).toEqual(Array(5).fill('own'))
    await eventually('all copies', () => arrived.shadow.length === 5)
    const byUrl = (all: typeof arrived.own) => all.toSorted((a, b) => (a.url! < b.url! ? -1 : 1))
    expect(byUrl(arrived.shadow)).toEqual(byUrl(arrived.own))
  })

  test('is not made of a body over 64 KiB, announced or not', async () => {
    const [own, shadow] = [await upstreamOf(), await upstreamOf()]
    const mirrored = await gatewayFor(own, [shadow], { a: {} })
    const large = 'x'.repeat(65_537)
    const inPieces = ReadableStream.from([Buffer.from(large.slice(9)), Buffer.from(large.slice(0, 9))])
    const options: RequestInit[] = [
      { method: 'POST', body: large },
      { method: 'POST', body: inPieces, duplex: 'half' } as RequestInit,
    ]
    for (const init of options) {
      const answer = await fetch(`${mirrored.http}/a/large`, init)
      expect(((await answer.json()) as Echo).body).toHaveLength(65_537)
    }
    const ofHttp2 = await askHttp2(mirrored.h2c, { ':path': '/a/large', ':method': 'POST' }, large)
    expect(JSON.parse(ofHttp2.body).body).toHaveLength(65_537)
    await (await fetch(`${mirrored.http}/a/small`)).text()
    await eventually('the copy behind', () => urls(shadow).includes('/small'))
    expect(urls(shadow)).toEqual(['/small'])
    expect(await count(mirrored, 'too_large')).toBe(3)
    expect(await count(mirrored, 'sent')).toBe(1)
  })

  test('is made of the part of the requests that the route says', async () => {
    const [own, shadow] = [await upstreamOf(), await upstreamOf()]
    const { http } = await gatewayFor(own, [shadow], { none: { percent: 0 }, all: {} })
    for (let round = 0; round < 20; round++) await (await fetch(`${http}/none/x`)).text()
    await (await fetch(`${http}/all/behind`)).text()
    await eventually('the copy', () => urls(shadow).includes('/behind'))
    expect(urls(shadow)).toEqual(['/behind'])
  })

  test('is made though the own service takes no requests', async () => {
    const shadow = await upstreamOf()
    const dead = { url: `http://127.0.0.1:${await freePort()}` }
    const { http, h2c } = await gatewayFor(dead, [shadow], { a: {} })
    // Five failures in a row open the circuit: from then on requests are refused with their head.
    for (let round = 0; round < 8; round++) await fetch(`${http}/a/${round}`)
    expect((await fetch(`${http}/a/8`)).status).toBe(503)
    expect((await askHttp2(h2c, { ':path': '/a/9' })).status).toBe(503)
    await eventually('all copies', () => shadow.requests.length === 10)
  })

  test('is not made of a request that broke off', async () => {
    const [own, shadow] = [await upstreamOf(), await upstreamOf()]
    const mirrored = await gatewayFor(own, [shadow], { a: {} })
    const client = await openRaw(Number(new URL(mirrored.http).port))
    client.send('POST /a/broken HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this')
    await eventually('the request', () => urls(own).includes('/broken'))
    client.socket.destroy()
    await eventually('it is counted', async () => (await count(mirrored, 'incomplete')) === 1)
    await (await fetch(`${mirrored.http}/a/behind`)).text()
    await eventually('the copy behind', () => urls(shadow).includes('/behind'))
    expect(urls(shadow)).toEqual(['/behind'])
  })
})

describe('a shadow service', () => {
  const answerOf = async (mirrored: Mirrored, path: string) => {
    const answer = await fetch(`${mirrored.http}${path}`, { method: 'POST', body: 'content' })
    const { headers, status } = answer
    return {
      status,
      cookies: headers.getSetCookie(),
      shadow: headers.get('x-shadow'),
      body: await answer.text(),
    }
  }
  const untouched = { status: 200, cookies: [], shadow: null, body: 'own' }
  const own = () =>
    upstreamOf((request, response) => void request.resume().on('end', () => response.end('own')))

  const misbehaviours: [string, Parameters<typeof startUpstream>[0]][] = [
    ['answers otherwise', (_, response) => response.writeHead(500, { 'x-shadow': '1' }).end('shadow')],
    ['gives cookies', (_, response) => response.writeHead(200, { 'set-cookie': 'a=b' }).end('shadow')],
    ['breaks off', (request) => void request.socket.destroy()],
    [
      'breaks off in its answer',
      (request, response) => void response.write('a', () => request.socket.destroy()),
    ],
    ['sends what is no answer', (request) => void request.socket.write('nonsense\r\n\r\n')],
    ['answers with much', (_, response) => response.end(Buffer.alloc(3_000_000))],
    ['never answers', silence],
  ]

  test('changes nothing, whatever it does', async () => {
    const shadows: Upstream[] = []
    for (const [, handler] of misbehaviours) shadows.push(await upstreamOf(handler))
    const mirrored = await gatewayFor(
      await own(),
      shadows,
      Object.fromEntries(shadows.map((_, n) => [`r${n}`, { service: `shadow-${n}` }])),
    )
    for (const [index, [what]] of misbehaviours.entries()) {
      for (let round = 0; round < 8; round++) {
        const { body, ...answer } = await answerOf(mirrored, `/r${index}`)
        expect({ what, body, ...answer }).toEqual({ what, ...untouched })
      }
      await eventually('a copy', () => shadows[index]!.requests.length > 0)
      const path = { ':path': `/r${index}`, ':method': 'POST' }
      const { status, body } = await askHttp2(mirrored.h2c, path, 'content')
      expect([what, status, body]).toEqual([what, 200, 'own'])
    }
    const logged = await eventually('all lines', async () => {
      const lines = await mirrored.gateway.accessLog()
      return lines.length === 9 * shadows.length && lines
    })
    for (const line of logged) expect(line).toMatchObject({ status: 200, service: 'own', attempts: 1 })
  })

  test('has its own circuit and its own timeouts', async () => {
    const silent = await upstreamOf(silence)
    const mirrored = await gatewayFor(await own(), [silent], { a: {} }, { readTimeout: '50ms' })
    for (let sent = 1; sent <= 5; sent++) {
      expect(await answerOf(mirrored, '/a')).toEqual(untouched)
      await eventually('the copy', () => silent.requests.length === sent)
    }
    await eventually('five timeouts', async () =>
      /circuit opened .*service=shadow-0/.test(await mirrored.gateway.errorLog()),
    )
    expect(await answerOf(mirrored, '/a')).toEqual(untouched)
    await eventually('the copy is refused', async () =>
      /circuit open .*service=shadow-0/.test(await mirrored.gateway.errorLog()),
    )
    expect(silent.requests).toHaveLength(5)
  })
})

describe('copies under way', () => {
  test('are bounded over all routes of a worker, also when it reloads', async () => {
    const [own, silent] = [await upstreamOf(), await upstreamOf(silence)]
    const mirrored = await gatewayFor(own, [silent], { a: {}, b: {}, c: {} }, { limits: { mirrors: 2 } })
    const round = async () => {
      for (const name of ['a', 'b', 'c']) await (await fetch(`${mirrored.http}/${name}`)).text()
    }
    await round()
    await eventually('two copies', () => silent.requests.length === 2)
    const file = join(mirrored.gateway.configDirectory, 'config.yaml')
    await writeFile(file, `${await readFile(file, 'utf8')}\ntrusted_proxies: [192.0.2.1]\n`)
    await eventually('a reload', async () =>
      /config_reloads_total\{result="accepted"\} 2\n/.test(
        await (await fetch(`${mirrored.gateway.statusUrl}/metrics`)).text(),
      ),
    )
    await round()
    expect(await count(mirrored, 'sent')).toBe(2)
    expect(await count(mirrored, 'over_limit')).toBe(4)
    expect(silent.requests).toHaveLength(2)
  })

  test('make room when they are over, however they end', async () => {
    const own = await upstreamOf()
    const endings: Parameters<typeof startUpstream>[0][] = [
      echo,
      (request) => void request.socket.destroy(),
      (request, response) => void response.write('a', () => request.socket.destroy()),
    ]
    let next = 0
    const shadow = await upstreamOf((request, response) =>
      endings[next++ % endings.length]!(request, response),
    )
    const mirrored = await gatewayFor(own, [shadow], { a: {} }, { limits: { mirrors: 1 } })
    for (let sent = 1; sent <= 9; sent++) {
      // The slot is free again a moment after the shadow has answered, which nobody is told.
      await eventually(`copy ${sent}`, async () => {
        await (await fetch(`${mirrored.http}/a`)).text()
        return (await count(mirrored, 'sent')) >= sent
      })
    }
  })

  test('have room again behind uploads that were not copied', async () => {
    const [own, shadow] = [await upstreamOf(), await upstreamOf()]
    const mirrored = await gatewayFor(own, [shadow], { a: {} }, { limits: { mirrors: 1 } })
    const upload = httpRequest(`${mirrored.http}/a/upload`, { method: 'POST' }).on('error', () => {})
    upload.write('x')
    await eventually('the upload', () => urls(own).includes('/upload'))
    await (await fetch(`${mirrored.http}/a/meanwhile`)).text()
    expect(await count(mirrored, 'over_limit')).toBe(1)
    upload.destroy()
    await eventually('its end', async () => (await count(mirrored, 'incomplete')) === 1)
    await (await fetch(`${mirrored.http}/a/behind`)).text()
    await eventually('the copy', () => urls(shadow).includes('/behind'))
    expect(urls(shadow)).toEqual(['/behind'])
  })
})
