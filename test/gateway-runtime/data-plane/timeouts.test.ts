import { createServer, type RequestListener } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { flag, frame, type } from '../../support/http2-client.ts'
import { freePort, listenOnFreePort } from '../../support/ports.ts'
import { openRaw, statusOf } from '../../support/raw-client.ts'
import { selfSigned } from '../../support/self-signed.ts'
import { echo, silence, startUpstream, type Upstream } from '../../support/upstream.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function upstreamOf(handler: RequestListener): Promise<Upstream> {
  const upstream = await startUpstream(handler)
  ended.push(() => upstream.stop())
  return upstream
}

async function gatewayFor(targets: string[], service: object, more: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      upstreams: [
        {
          name: 'targets',
          targets: targets.map((target) => ({ target })),
          circuit_breaker: { enabled: false },
        },
      ],
      services: [{ name: 'service', upstream: 'targets', ...service }],
      routes: [{ name: 'route', service: 'service', paths: ['/'] }],
      ...more,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const status103 = Buffer.concat([Buffer.from([0x08, 3]), Buffer.from('103')]) // RFC 7541 section 6.2.2
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]

const metric = async (gateway: TestGateway, name: string) => {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`^gatehouse_${name} (\\d+)$`, 'm').exec(text)?.[1])
}

describe('read_timeout', () => {
  test.each(['1.1', '2'])('does not run while the client still sends, by HTTP/%s', async (http_version) => {
    const service = http_version === '2' ? createHttp2Server(echo as never) : createServer(echo)
    const port = await listenOnFreePort(service)
    ended.push(() => service.close())
    const gateway = await gatewayFor([`127.0.0.1:${port}`], {
      http_version,
      read_timeout: '100ms',
      retries: 0,
    })
    const client = await openRaw(gateway.ports.http)
    client.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nha')
    await sleep(400)
    client.send('lf')
    expect(statusOf(await client.closed)).toBe(200)
  })

  test.each(['1.1', '2'])('runs from the end of the request, by HTTP/%s', async (http_version) => {
    const service = http_version === '2' ? createHttp2Server(silence as never) : createServer(silence)
    const port = await listenOnFreePort(service)
    const gateway = await gatewayFor([`127.0.0.1:${port}`], {
      http_version,
      read_timeout: '100ms',
      retries: 0,
    })
    ended.push(() => service.close())
    const client = await openRaw(gateway.ports.http)
    client.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nha')
    await sleep(50)
    client.send('lf')
    expect(statusOf(await client.closed)).toBe(504)
  })
})

describe('write_timeout', () => {
  /** A target that takes no body: it reads no more than `onSocket` has it read. */
  async function targetOf(onSocket: (socket: Socket) => void): Promise<number> {
    const sockets: Socket[] = []
    const server = createTcpServer((socket) => {
      sockets.push(socket.on('error', () => {}))
      onSocket(socket)
    })
    ended.push(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return await listenOnFreePort(server)
  }
  const put = (gateway: TestGateway, bytes: number) =>
    fetch(gateway.url, { method: 'PUT', body: Buffer.alloc(bytes), duplex: 'half' } as RequestInit)
  const timeouts = { write_timeout: '400ms', retries: 0 }

  test.each(['1.1', '2'])('runs while the target answers something, by HTTP/%s', async (version) => {
    const port = await targetOf((socket) =>
      socket.once('data', () => {
        socket.pause()
        const answer =
          version === '2'
            ? Buffer.concat([frame(type.settings, 0, 0), frame(type.headers, flag.endHeaders, 1, status103)])
            : 'HTTP/1.1 103 Early Hints\r\n\r\n'
        // When the gateway has filled what it may send.
        setTimeout(() => socket.write(answer), 150)
      }),
    )
    const gateway = await gatewayFor([`127.0.0.1:${port}`], { http_version: version, ...timeouts })
    expect(await codeOf(await put(gateway, 20_000_000))).toEqual([504, 'upstream-write-timeout'])
  })

  test('runs for a body that came before the connection was there', async () => {
    const certificate = await selfSigned('late.test')
    const port = await targetOf((socket) => {
      // Meanwhile all of the body comes that the gateway takes ahead.
      setTimeout(() => {
        new TLSSocket(socket, { isServer: true, ALPNProtocols: ['h2'], ...certificate }).on('error', () => {})
      }, 300)
    })
    const gateway = await gatewayFor([`127.0.0.1:${port}`], {
      protocol: 'https',
      tls_verify: false,
      http_version: '2',
      ...timeouts,
    })
    expect(await codeOf(await put(gateway, 200_000))).toEqual([504, 'upstream-write-timeout'])
  })
})

describe('try_timeout', () => {
  test('is followed by another target', async () => {
    const silent = await upstreamOf(silence)
    const lively = await upstreamOf(echo)
    const gateway = await gatewayFor([silent.target, lively.target], { try_timeout: '100ms' })
    const answers = [await fetch(gateway.url), await fetch(gateway.url)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(silent.requests).toHaveLength(1)
  })

  test('says so where all have been tried', async () => {
    const silent = await upstreamOf(silence)
    const gateway = await gatewayFor([silent.target], { try_timeout: '300ms', retries: 2 })
    expect(await codeOf(await fetch(gateway.url))).toEqual([504, 'upstream-try-timeout'])
    expect(silent.requests).toHaveLength(3)
  })

  test('does not hold for an answer that has begun', async () => {
    const slow = await upstreamOf((_request, response) => {
      response.write('begun')
      setTimeout(() => response.end(' and ended'), 200)
    })
    const gateway = await gatewayFor([slow.target], { try_timeout: '100ms' })
    expect(await (await fetch(gateway.url)).text()).toBe('begun and ended')
  })
})

describe('total_timeout', () => {
  test('bounds all attempts together', async () => {
    const silent = await upstreamOf(silence)
    const gateway = await gatewayFor([silent.target], { total_timeout: '100ms', retries: 10 })
    expect(await codeOf(await fetch(gateway.url))).toEqual([504, 'upstream-total-timeout'])
    expect(silent.requests).toHaveLength(1)
  })

  test('bounds the attempts that follow on each other', async () => {
    const silent = await upstreamOf(silence)
    const timeouts = { total_timeout: '200ms', try_timeout: '60ms', retries: 10 }
    const gateway = await gatewayFor([silent.target], timeouts)
    const [status] = await codeOf(await fetch(gateway.url))
    expect(status).toBe(504)
    expect(silent.requests.length).toBeLessThan(10)
  })

  test('cuts off an answer that does not end', async () => {
    const endless = await upstreamOf((_request, response) => void response.write('begun'))
    const gateway = await gatewayFor([endless.target], { total_timeout: '200ms' })
    const answer = await fetch(gateway.url)
    expect(answer.status).toBe(200)
    await expect(answer.text()).rejects.toThrow()
  })
})

describe('the retry budget', () => {
  test('is not exceeded, and what it refuses is counted', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    const gateway = await gatewayFor([dead], { retries: 1, retry_budget: { percent: 0, minimum: 2 } })
    for (let request = 0; request < 5; request++) expect((await fetch(gateway.url)).status).toBe(502)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain('gatehouse_route_retries_total{route="route",service="service"} 2\n')
    expect(await metric(gateway, 'retries_over_budget_total')).toBe(3)
  })

  test('grows with the requests', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    const gateway = await gatewayFor([dead], { retries: 1, retry_budget: { percent: 50, minimum: 0 } })
    for (let request = 0; request < 6; request++) await fetch(gateway.url)
    expect(await metric(gateway, 'retries_over_budget_total')).toBe(3)
  })
})

describe('a body that arrives too slowly', () => {
  const limits = { limits: { body_rate: 10_000, body_rate_after: '100ms' } }

  test('is answered with 408 by HTTP/1.1, however steadily it comes', async () => {
    const upstream = await upstreamOf(echo)
    const gateway = await gatewayFor([upstream.target], {}, limits)
    const client = await openRaw(gateway.ports.http)
    client.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n')
    const drip = setInterval(() => client.send('x'), 10)
    ended.push(() => clearInterval(drip))
    const answer = await client.until(/\}\s*$/)
    expect(statusOf(answer)).toBe(408)
    expect(answer).toMatch(/connection: close.*"body-too-slow"/s)
    clearInterval(drip)
    client.socket.destroy()
  })

  test('is answered with 408 by HTTP/2', async () => {
    const upstream = await upstreamOf(echo)
    const port = await freePort()
    const listeners = [{ host: '127.0.0.1', port, protocol: 'http', http2: true }]
    await gatewayFor([upstream.target], {}, { ...limits, listeners })
    const session = connect(`http://127.0.0.1:${port}`)
    ended.push(() => session.destroy())
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.on('error', () => {})
    const drip = setInterval(() => stream.write('x'), 10)
    ended.push(() => clearInterval(drip))
    const status = await new Promise((resolve) => stream.once('response', (head) => resolve(head[':status'])))
    expect(status).toBe(408)
  })

  test('passes where it is fast enough', async () => {
    const upstream = await upstreamOf(echo)
    const gateway = await gatewayFor([upstream.target], {}, limits)
    const client = await openRaw(gateway.ports.http)
    client.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n')
    for (let piece = 0; piece < 10; piece++) {
      client.send('x'.repeat(10_000))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(statusOf(await client.until(/x"\}$/))).toBe(200)
    client.socket.destroy()
  })
})

describe('a worker that is late with its work', () => {
  test('answers with 503 at once, while health and admin API answer; and goes on when it has caught up', async () => {
    const upstream = await upstreamOf((_request, response) => void response.end('ok'))
    const gateway = await gatewayFor([upstream.target], {}, { limits: { event_loop_delay: '1ms' } })
    const request = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(500)
    const refused = await new Promise<string>((resolve) => {
      for (let count = 0; count < 30; count++) {
        openRaw(gateway.ports.http).then((client) => {
          ended.push(() => client.socket.destroy())
          let text = ''
          const drip = setInterval(() => client.send(request), 5)
          ended.push(() => clearInterval(drip))
          client.socket.on('data', (chunk) => {
            text = (text + chunk.toString('latin1')).slice(-5_000)
            if (text.includes('"overloaded"')) resolve(text)
          })
        })
      }
    })
    expect(refused).toMatch(/HTTP\/1.1 503 .*retry-after: 1\r\n.*"overloaded"/s)
    expect((await fetch(`${gateway.statusUrl}/readyz`)).status).toBe(200)
    for (const end of ended.splice(2).reverse()) end()
    let status = 0
    while (status !== 200) status = (await fetch(gateway.url)).status
  })
})

test('a 503 of an open circuit says when to come again', async () => {
  const dead = `127.0.0.1:${await freePort()}`
  const upstreams = [
    {
      name: 'targets',
      targets: [{ target: dead }],
      circuit_breaker: { consecutive_failures: 1, open_duration: '7s' },
    },
  ]
  const gateway = await gatewayFor([], { retries: 0 }, { upstreams })
  expect((await fetch(gateway.url)).status).toBe(502)
  const answer = await fetch(gateway.url)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '7'])
})
