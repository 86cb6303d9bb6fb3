import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { openRaw, statusOf } from '../../support/raw-client.ts'
import { echo, silence, startUpstream, type Upstream } from '../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** A server that speaks no HTTP but what a test makes it say. */
async function startRawServer(onConnection: (socket: Socket, count: number) => void) {
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket, ++connections)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ended.push(async () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}`, target: `127.0.0.1:${port}`, connections: () => connections }
}

async function upstreamOf(...args: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(...args)
  ended.push(() => upstream.stop())
  return upstream
}

async function gatewayFor(service: object, more: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      services: [{ name: 'service', ...service }],
      routes: [{ name: 'route', service: 'service', paths: ['/'] }],
      ...more,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const circuitOff = { circuit_breaker: { enabled: false } }

async function codeOf(answer: Response) {
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await answer.json()) as { status: number; code: string; request_id: string }
  expect(problem.status).toBe(answer.status)
  expect(problem.request_id).toBe(answer.headers.get('x-request-id'))
  return [answer.status, problem.code]
}

describe('an upstream that', () => {
  test('refuses connections is answered with 502, after the retries', async () => {
    const gateway = await gatewayFor({ url: `http://127.0.0.1:${await freePort()}`, retries: 2 })
    expect(await codeOf(await fetch(gateway.url))).toEqual([502, 'upstream-connection-refused'])
    const log = await eventually('the last attempt in error.log', async () => {
      const text = await gateway.errorLog()
      return text.includes('attempt=3/3') && text
    })
    expect(log.match(/upstream connection refused/g)).toHaveLength(3)
  })

  test('is silent is answered with 504, and found by "upstream timed out"', async () => {
    const upstream = await upstreamOf(silence)
    const gateway = await gatewayFor({ url: upstream.url, retries: 1, read_timeout: '150ms' })
    expect(await codeOf(await fetch(gateway.url))).toEqual([504, 'upstream-read-timeout'])
    expect(upstream.requests).toHaveLength(2)
    await eventually('the line in error.log', async () =>
      /error upstream timed out .*attempt=2\/2/.test(await gateway.errorLog()),
    )
  })

  test('accepts and does not finish its handshake is answered with 504', async () => {
    const server = await startRawServer(() => {})
    const gateway = await gatewayFor({
      url: server.url.replace('http', 'https'),
      retries: 1,
      connect_timeout: 150,
    })
    expect(await codeOf(await fetch(gateway.url))).toEqual([504, 'upstream-connect-timeout'])
    expect(server.connections()).toBe(2)
  })

  test('resets is answered with 502', async () => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const gateway = await gatewayFor({ url: server.url, retries: 1 })
    expect(await codeOf(await fetch(gateway.url))).toEqual([502, 'upstream-connection-reset'])
    expect(server.connections()).toBe(2)
  })

  test.each([
    ['nonsense', 'SMTP ready\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
    [
      'length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nabc'],
    ['status 600', 'HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['endless interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20)],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ])('says %s is answered with 502', async (_, bytes) => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.write(bytes)))
    const gateway = await gatewayFor({ url: server.url, retries: 0 })
    expect(await codeOf(await fetch(gateway.url))).toEqual([502, 'upstream-bad-response'])
  })

  test('sends interim answers is answered with the final one', async () => {
    const bytes = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    const server = await startRawServer((socket) => socket.once('data', () => socket.write(bytes)))
    const gateway = await gatewayFor({ url: server.url })
    expect(await (await fetch(gateway.url)).text()).toBe('ok')
  })

  test('sends a broken body with the head is answered with 502 in its place, behind what was sent before', async () => {
    const server = await startRawServer((socket) => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
        socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0x3\r\nabc\r\n0\r\n\r\n',
        )
      })
    })
    const gateway = await gatewayFor({ url: server.url })
    const client = await openRaw(gateway.ports.http)
    client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect(await client.until(/\}\s*$/)).toMatch(/^HTTP\/1.1 103 [^\n]*\nlink: <\/a>\r\n\r\nHTTP\/1.1 502 /)
    client.socket.destroy()
  })

  test('ends its answer too early cuts the connection of the client', async () => {
    const server = await startRawServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')),
    )
    const gateway = await gatewayFor({ url: server.url })
    const answer = await fetch(gateway.url)
    await expect(answer.text()).rejects.toThrow()
    const [line] = await eventually('the access log', async () => {
      const lines = await gateway.accessLog()
      return lines.length > 0 && lines
    })
    expect(line).toMatchObject({ status: 200, code: 'upstream-aborted' })
  })
})

describe('a request is repeated', () => {
  test('at another target where one refuses, whatever its method', async () => {
    const upstream = await upstreamOf(echo)
    const gateway = await gatewayFor(
      { upstream: 'pair' },
      {
        upstreams: [
          {
            name: 'pair',
            targets: [{ target: `127.0.0.1:${await freePort()}` }, { target: upstream.target }],
          },
        ],
      },
    )
    for (let round = 0; round < 6; round++) {
      const answer = await fetch(gateway.url, { method: 'POST', body: 'once' })
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({ method: 'POST', body: 'once' })
    }
    expect(upstream.requests).toHaveLength(6)
  })

  test('with its body where the method is idempotent', async () => {
    const bodies: string[] = []
    const server = await startRawServer((socket, count) =>
      socket.on('data', (chunk) => {
        bodies.push(String(chunk).split('\r\n\r\n')[1]!)
        if (count === 1) socket.resetAndDestroy()
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }),
    )
    const gateway = await gatewayFor({ url: server.url })
    const answer = await fetch(gateway.url, { method: 'PUT', body: 'again' })
    expect(await answer.text()).toBe('ok')
    expect(bodies).toEqual(['again', 'again'])
  })

  test('not where the method is not idempotent and the target may have seen it', async () => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const gateway = await gatewayFor({ url: server.url })
    expect(await codeOf(await fetch(gateway.url, { method: 'POST', body: 'x' }))).toEqual([
      502,
      'upstream-connection-reset',
    ])
    expect(server.connections()).toBe(1)
  })

  test('on a new connection where the target had closed the kept one', async () => {
    const server = await startRawServer((socket) => {
      let count = 0
      socket.on('data', () => {
        if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.resetAndDestroy()
      })
    })
    const gateway = await gatewayFor({ url: server.url, retries: 0 })
    expect((await fetch(gateway.url)).status).toBe(200)
    expect((await fetch(gateway.url)).status).toBe(200)
    expect(server.connections()).toBe(2)
  })
})

describe('the circuit of a target', () => {
  const upstreams = (target: string, more: object) => ({
    upstreams: [{ name: 'u', targets: [{ target }], circuit_breaker: { consecutive_failures: 2, ...more } }],
  })

  test('opens: 503 at once, without asking the target; and closes when a probe succeeds', async () => {
    const port = await freePort()
    const gateway = await gatewayFor(
      { upstream: 'u', retries: 0 },
      upstreams(`127.0.0.1:${port}`, { open_duration: '300ms' }),
    )
    expect((await fetch(gateway.url)).status).toBe(502)
    expect((await fetch(gateway.url)).status).toBe(502)
    expect(await codeOf(await fetch(gateway.url))).toEqual([503, 'upstream-circuit-open'])
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain(
      `gatehouse_upstream_circuit_state{upstream="u",target="127.0.0.1:${port}",state="open"} 1`,
    )
    const upstream = await upstreamOf(echo, port)
    await eventually('the probe', async () => (await fetch(gateway.url)).status === 200)
    expect((await fetch(gateway.url)).status).toBe(200)
    expect(upstream.requests.length).toBeGreaterThanOrEqual(2)
  })

  test('opens by 503 of the target itself, not by other errors', async () => {
    let status = 500
    const upstream = await upstreamOf((_, response) => void response.writeHead(status).end())
    const gateway = await gatewayFor({ upstream: 'u' }, upstreams(upstream.target, { open_duration: '1m' }))
    for (let round = 0; round < 4; round++) expect((await fetch(gateway.url)).status).toBe(500)
    status = 503
    for (let round = 0; round < 4; round++) expect((await fetch(gateway.url)).status).toBe(503)
    expect(upstream.requests).toHaveLength(6)
  })

  test('switched off, the target is asked each time', async () => {
    const upstream = await upstreamOf((_, response) => void response.writeHead(503).end())
    const gateway = await gatewayFor(
      { upstream: 'u' },
      { upstreams: [{ name: 'u', targets: [{ target: upstream.target }], ...circuitOff }] },
    )
    for (let round = 0; round < 10; round++) await (await fetch(gateway.url)).text()
    expect(upstream.requests).toHaveLength(10)
  })
})

describe('targets', () => {
  test('get requests by their weights', async () => {
    const [light, heavy, none] = [await upstreamOf(), await upstreamOf(), await upstreamOf()]
    const targets = [
      { target: light.target, weight: 1 },
      { target: heavy.target, weight: 3 },
      { target: none.target, weight: 0 },
    ]
    const gateway = await gatewayFor({ upstream: 'u' }, { upstreams: [{ name: 'u', targets }] })
    for (let round = 0; round < 8; round++) await (await fetch(gateway.url)).text()
    expect([light, heavy, none].map(({ requests }) => requests.length)).toEqual([2, 6, 0])
  })

  test('none with a weight: 503', async () => {
    const upstream = await upstreamOf()
    const targets = [{ target: upstream.target, weight: 0 }]
    const gateway = await gatewayFor({ upstream: 'u' }, { upstreams: [{ name: 'u', targets }] })
    expect(await codeOf(await fetch(gateway.url))).toEqual([503, 'upstream-no-target'])
  })
})

test('a client that leaves takes its request with it', async () => {
  let closed = 0
  const upstream = await upstreamOf((request) => void request.socket.on('close', () => closed++))
  const gateway = await gatewayFor({ url: upstream.url })
  const client = await openRaw(gateway.ports.http)
  client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  await eventually('the request at the upstream', () => upstream.requests.length === 1)
  client.socket.resetAndDestroy()
  await eventually('the end of the connection to the upstream', () => closed === 1)
  const [line] = await eventually('the access log', async () => {
    const lines = await gateway.accessLog()
    return lines.length > 0 && lines
  })
  expect(line).toMatchObject({ status: 499, code: 'client-closed' })
})

test('a plugin answer to a request whose body is still coming keeps or closes the connection in order', async () => {
  const upstream = await upstreamOf()
  const gateway = await gatewayFor(
    { url: upstream.url },
    { plugins: [{ name: 'rate-limiting', config: { limit: 1, period: 'day' } }] },
  )
  await fetch(gateway.url)
  const client = await openRaw(gateway.ports.http)
  client.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345')
  expect(statusOf(await client.until(/request_id/))).toBe(429)
  client.send('67890GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  expect((await client.closed).match(/HTTP\/1\.1 429/g)).toHaveLength(2)
})
