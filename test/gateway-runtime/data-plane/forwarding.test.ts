import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { openRaw, sendRaw } from '../../support/raw-client.ts'
import { type Echo, echo, startUpstream, type Upstream } from '../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    const kind = request.url?.split('/')[1]
    if (kind === 'chunks') {
      response.write('first ')
      request.on('end', () => response.end('last'))
      request.resume()
    } else if (kind === 'status') {
      response.writeHead(Number(request.url!.split('/')[2]), { 'x-answer': 'yes' }).end()
    } else if (kind === 'hop') {
      response
        .writeHead(200, { connection: 'x-internal', 'x-internal': 'secret', 'x-public': 'yes' })
        .end('hop')
    } else if (kind === 'digest') {
      const hash = createHash('sha256')
      request
        .on('data', (chunk: Buffer) => hash.update(chunk))
        .on('end', () => response.end(hash.digest('hex')))
    } else if (kind === 'large') {
      response.end(Buffer.alloc(5_000_000, 'abcdefghij'))
    } else echo(request, response)
  })
  gateway = await startGateway({
    config: {
      trusted_proxies: ['127.0.0.2/32'],
      services: [
        { name: 'plain', url: upstream.url },
        { name: 'based', url: `${upstream.url}/base/` },
      ],
      routes: [
        { name: 'root', service: 'plain', paths: ['/'], strip_path: false },
        { name: 'strip', service: 'plain', paths: ['/strip'] },
        { name: 'based', service: 'based', paths: ['/v1/api'] },
        { name: 'kept', service: 'plain', paths: ['/kept'], strip_path: false, preserve_host: true },
        { name: 'pattern', service: 'plain', paths: ['~/item/(\\d+)$'], strip_path: false },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const get = (path: string, init?: RequestInit) => fetch(`${gateway.url}${path}`, init)
const echoed = async (path: string, init?: RequestInit) => (await (await get(path, init)).json()) as Echo

describe('what the service sees', () => {
  test.each([
    ['/a/b?x=1&y=%2F', '/a/b?x=1&y=%2F'],
    ['/strip/a?q', '/a?q'],
    ['/strip', '/'],
    ['/v1/api/orders/7', '/base/orders/7'],
    ['/v1/api', '/base'],
    ['/item/12', '/item/12'],
    ['/a/%2e%2e/b//c', '/b/c'],
  ])('%s arrives as %s', async (asked, seen) => {
    // fetch would normalise the path itself
    const answer = await sendRaw(
      gateway.ports.http,
      `GET ${asked} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    )
    expect(JSON.parse(answer.substring(answer.indexOf('{'))).url).toBe(seen)
  })

  test('method, header fields and body', async () => {
    const seen = await echoed('/orders', {
      method: 'PUT',
      body: 'hello',
      headers: { 'X-Custom': 'a, b', cookie: 'c=1' },
    })
    expect(seen).toMatchObject({ method: 'PUT', url: '/orders', body: 'hello' })
    expect(seen.headers).toMatchObject({
      'x-custom': 'a, b',
      cookie: 'c=1',
      'content-length': '5',
      via: '1.1 gatehouse',
    })
  })

  test('its own host, or that of the client where the route says so', async () => {
    expect((await echoed('/a')).headers.host).toBe(upstream.target)
    expect((await echoed('/kept')).headers.host).toBe(`127.0.0.1:${gateway.ports.http}`)
  })

  test('the id of the request that the client is told', async () => {
    const answer = await get('/a', { headers: { 'x-request-id': 'invented-by-client' } })
    const id = answer.headers.get('x-request-id')
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(((await answer.json()) as Echo).headers['x-request-id']).toBe(id)
  })

  test('who the client is: what an unknown peer claims is replaced', async () => {
    const headers = {
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'https',
      forwarded: 'for=1.2.3.4',
      'x-real-ip': '1.2.3.4',
    }
    const seen = (await echoed('/a', { headers })).headers
    expect(seen['x-forwarded-for']).toBe('127.0.0.1')
    expect(seen['x-forwarded-proto']).toBe('http')
    expect(seen['x-forwarded-host']).toBe(`127.0.0.1:${gateway.ports.http}`)
    expect(seen.forwarded).toBeUndefined()
    expect(seen['x-real-ip']).toBeUndefined()
  })

  test('what a trusted proxy says is kept and added to', async () => {
    const headers = {
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-proto': 'https',
      'x-request-id': 'from-the-proxy',
    }
    const request = httpRequest(`${gateway.url}/a`, { headers, localAddress: '127.0.0.2' }).end()
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    const seen = JSON.parse(Buffer.concat(await answer.toArray()).toString()).headers
    expect(seen['x-forwarded-for']).toBe('1.2.3.4, 127.0.0.2')
    expect(seen['x-forwarded-proto']).toBe('https')
    expect(seen['x-request-id']).toBe('from-the-proxy')
  })

  test('no fields of one connection, nor those that Connection names, nor ambiguous names', async () => {
    const answer = await sendRaw(
      gateway.ports.http,
      'GET /a HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\n' +
        'Proxy-Authorization: Basic x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX_Under: 1\r\nX-Stays: 1\r\n\r\n',
    )
    const seen = Object.keys(JSON.parse(answer.substring(answer.indexOf('{'))).headers)
    expect(seen).toContain('x-stays')
    for (const name of [
      'x-hop',
      'keep-alive',
      'te',
      'proxy-authorization',
      'upgrade',
      'http2-settings',
      'x_under',
    ]) {
      expect(seen).not.toContain(name)
    }
  })
})

describe('what the client gets', () => {
  test('status and fields, without those of the connection to the service', async () => {
    const answer = await get('/hop')
    expect(answer.headers.get('x-public')).toBe('yes')
    expect(answer.headers.get('x-internal')).toBeNull()
    expect(await answer.text()).toBe('hop')
  })

  test.each([201, 204, 304, 404, 500])('status %d as it is', async (status) => {
    const answer = await sendRaw(
      gateway.ports.http,
      `GET /status/${status} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('x-answer: yes')
  })

  test('the head alone for HEAD, and the next answer behind it', async () => {
    const answer = await sendRaw(
      gateway.ports.http,
      'HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /status/201 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 201'])
    expect(answer).not.toContain('{')
  })

  test('pieces of an answer as they come, before the request is complete', async () => {
    const client = await openRaw(gateway.ports.http)
    client.send(
      'POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n',
    )
    await client.until(/first /)
    client.send('0\r\n\r\n')
    expect(await client.closed).toMatch(/6\r\nfirst \r\n4\r\nlast\r\n0\r\n\r\n$/)
  })

  test('an answer to HTTP/1.0 without chunks', async () => {
    const answer = await sendRaw(gateway.ports.http, 'GET /chunks HTTP/1.0\r\nHost: h\r\n\r\n')
    expect(answer).toMatch(/\r\n\r\nfirst last$/)
    expect(answer).not.toMatch(/transfer-encoding/i)
  })

  test('answers to pipelined requests in their order', async () => {
    const requests = Array.from({ length: 20 }, (_, index) => {
      const last = index === 19 ? 'Connection: close\r\n' : ''
      return `GET ${index % 3 === 0 ? '/nowhere' : '/strip'}/${index} HTTP/1.1\r\nHost: h\r\n${last}\r\n`
    })
    const answer = await sendRaw(gateway.ports.http, requests.join(''))
    const urls = [...answer.matchAll(/"url":"\/(?:nowhere\/)?(\d+)"/g)].map(([, index]) => Number(index))
    expect(urls).toEqual(Array.from({ length: 20 }, (_, index) => index))
  })

  test('permission to send a body that it waits with', async () => {
    const client = await openRaw(gateway.ports.http)
    client.send(
      'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    )
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    client.send('ok')
    const answer = await client.closed
    expect(answer).toContain('"body":"ok"')
    expect(answer).not.toContain('"expect"')
  })
})

describe('bodies and connections', () => {
  test.each([0, 1, 8_191, 65_537, 3_000_000])('an upload of %d bytes arrives whole', async (size) => {
    const body = randomBytes(size)
    const answer = await get('/digest', { method: 'POST', body })
    expect(await answer.text()).toBe(createHash('sha256').update(body).digest('hex'))
  })

  test('a download of 5 MB arrives whole', async () => {
    const body = Buffer.from(await (await get('/large')).arrayBuffer())
    expect(body.equals(Buffer.alloc(5_000_000, 'abcdefghij'))).toBe(true)
  })

  test('are kept and used again on both sides', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const before = upstream.connections
    const ports = new Set<number | undefined>()
    for (let round = 0; round < 10; round++) {
      const request = httpRequest(`${gateway.url}/a`, { agent }).end()
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      ports.add(answer.socket.localPort)
      await answer.toArray()
    }
    agent.destroy()
    expect(ports.size).toBe(1)
    expect(upstream.connections - before).toBeLessThanOrEqual(1)
  })

  test('a request in pieces of one byte is one request', async () => {
    const client = await openRaw(gateway.ports.http)
    for (const byte of 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc')
      client.send(byte)
    expect(await client.closed).toContain('"body":"abc"')
  })
})
