import { once } from 'node:events'
import { connect } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePorts } from '../../support/ports.ts'
import { openRaw, sendRaw, statusOf } from '../../support/raw-client.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({
    config: {
      limits: {
        header_bytes: 4_096,
        header_count: 20,
        uri_bytes: 1_000,
        body_bytes: 1_000,
        header_timeout: '400ms',
        body_timeout: '300ms',
        idle_timeout: '300ms',
      },
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'echo', service: 'echo', paths: ['/'] }],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const chunkedPost = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('refused, and the connection closed, before any service sees it', () => {
  test.each([
    ['two Host fields', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    [
      'two expectations',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n',
      400,
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
    ['a Host with user information', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', 400],
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 400],
    ['a target that disagrees with Host', 'GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n', 400],
    ['a target of another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    [
      'length and chunks',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na', 400],
    ['a length with a sign', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na', 400],
    ['a length with a leading zero', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 01\r\n\r\na', 400],
    [
      'an unknown coding',
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      501,
    ],
    [
      'chunked twice',
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : h\r\n\r\n', 400],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n', 400],
    ['a bare LF', 'GET / HTTP/1.1\nHost: h\n\n', 400],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n', 400],
    [
      'two Authorization fields',
      'GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n',
      400,
    ],
    [
      'Connection that names Authorization',
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: authorization\r\n\r\n',
      400,
    ],
    ['an encoded slash', 'GET /a%2fb HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['a path above the root', 'GET /../etc HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['CONNECT', 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n', 405],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: h\r\n\r\n', 405],
    ['HTTP/2.0 as text', 'GET / HTTP/2.0\r\nHost: h\r\n\r\n', 505],
    [
      'another expectation',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: x 100-continue\r\n\r\na',
      417,
    ],
    ['too many fields', `GET / HTTP/1.1\r\nHost: h\r\n${'A: b\r\n'.repeat(30)}\r\n`, 431],
    ['a field that is too large', `GET / HTTP/1.1\r\nHost: h\r\nA: ${'b'.repeat(5_000)}\r\n\r\n`, 431],
    ['a target that is too long', `GET /${'a'.repeat(2_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
    ['a body that is announced too large', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n', 413],
  ])('%s', async (_, bytes, status) => {
    const before = upstream.requests.length
    const answer = await sendRaw(gateway.ports.http, bytes)
    expect(statusOf(answer)).toBe(status)
    expect(answer).toMatch(/connection: close/)
    expect(answer).toMatch(/"code":"[a-z0-9-]+"/)
    expect(upstream.requests.length).toBe(before)
  })

  test.each([
    ['a size in hexadecimal with a prefix', `${chunkedPost}0x2\r\nab\r\n0\r\n\r\n`],
    ['a chunk without its end', `${chunkedPost}2\r\nabXX0\r\n\r\n`],
    ['a chunk that ends with a bare LF', `${chunkedPost}2\r\nab\n0\r\n\r\n`],
    ['extensions that outweigh the body', `${chunkedPost}1;${'e'.repeat(9_000)}\r\na\r\n0\r\n\r\n`],
  ])('chunks: %s', async (_, bytes) => {
    expect(statusOf(await sendRaw(gateway.ports.http, bytes))).toBe(400)
  })
})

describe('limits of size and time', () => {
  test('chunks that grow past the limit: 413', async () => {
    const chunk = `190\r\n${'a'.repeat(400)}\r\n`
    expect(statusOf(await sendRaw(gateway.ports.http, chunkedPost, chunk, chunk, chunk))).toBe(413)
  })

  test('a head that does not arrive in time: 408', async () => {
    expect(statusOf(await sendRaw(gateway.ports.http, 'GET / HTTP/1.1\r\nHo'))).toBe(408)
  })

  test('a body that stops arriving: 408', async () => {
    const answer = await sendRaw(
      gateway.ports.http,
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc',
    )
    expect(statusOf(answer)).toBe(408)
  })

  test('a connection without a request closes silently', async () => {
    const client = await openRaw(gateway.ports.http)
    client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect((await client.closed).match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  test('what was refused is in both logs, with one id', async () => {
    const answer = await sendRaw(gateway.ports.http, 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n')
    const id = /x-request-id: (\S+)/.exec(answer)![1]!
    const line = await eventually('the access log', async () =>
      (await gateway.accessLog()).find(({ request_id }) => request_id === id),
    )
    expect(line).toMatchObject({ status: 400, code: 'malformed-request', client_address: '127.0.0.1' })
    const log = await eventually('the error log', () => gateway.errorLog())
    expect(log).toMatch(/warn request refused status=400 reason="more than one Host" client=127\.0\.0\.1/)
  })
})

describe('with other settings', () => {
  let strict: TestGateway
  let http: number
  let h2c: number
  beforeAll(async () => {
    const ports = await freePorts(2)
    ;[http, h2c] = ports as [number, number]
    strict = await startGateway({
      config: {
        listeners: ports.map((port, index) => ({ host: '127.0.0.1', port, http2: index === 1 })),
        limits: { connection_requests: 3 },
        ambiguous_header_names: 'refuse',
        services: [{ name: 'echo', url: upstream.url }],
        routes: [{ name: 'echo', service: 'echo', paths: ['/'] }],
      },
    })
  })
  afterAll(() => strict?.stop())

  test('a connection is closed behind its last request', async () => {
    const answer = await sendRaw(http, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(5))
    expect(answer.match(/HTTP\/1.1 200 /g)).toHaveLength(3)
    expect(answer.match(/connection: close/g)).toHaveLength(1)
  })

  test('an HTTP/2 connection goes away behind its last request', async () => {
    const session = connect(`http://127.0.0.1:${h2c}`)
    session.on('error', () => {})
    const closed = once(session, 'close')
    const statuses = []
    for (let request = 0; request < 3; request++) {
      const stream = session.request({ ':path': '/' })
      const [head] = await once(stream, 'response')
      statuses.push(head[':status'])
      await once(stream.resume(), 'end')
    }
    expect(statuses).toEqual([200, 200, 200])
    await closed
  })

  test('a name that servers could take for another is refused', async () => {
    const answer = await sendRaw(
      http,
      'GET / HTTP/1.1\r\nHost: h\r\nX_Forwarded_For: 1.2.3.4\r\nConnection: close\r\n\r\n',
    )
    expect(statusOf(answer)).toBe(400)
    expect(answer).toContain('"ambiguous-header-name"')
  })
})
