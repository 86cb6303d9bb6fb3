import { once } from 'node:events'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ConnectionEnds } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/connection-ends.ts'
import { proxyHeaderBytes } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/header-bytes.ts'
import { type Authority, newAuthority } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { block, flag, frame, get, preface, type } from '../../../support/http2-client.ts'
import { freePorts } from '../../../support/ports.ts'
import { openRaw } from '../../../support/raw-client.ts'
import { ask } from '../../../support/tls-client.ts'
import { type Echo, echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway
let authority: Authority
const ports = { plain: 0, h2c: 0, tls: 0 }

const ends: ConnectionEnds = {
  sourceAddress: '203.0.113.7',
  sourcePort: 40_000,
  destinationAddress: '198.51.100.1',
  destinationPort: 443,
}
const request = 'GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\r\n'

beforeAll(async () => {
  authority = await newAuthority()
  const { certificate, key } = await authority.issue({ dns: ['own.test'] })
  const [plain, h2c, tls] = (await freePorts(3)) as [number, number, number]
  Object.assign(ports, { plain, h2c, tls })
  const listener = { host: '127.0.0.1', proxy_protocol: true }
  upstream = await startUpstream(echo)
  gateway = await startGateway({
    files: { 'own.crt': certificate, 'own.key': key },
    config: {
      trusted_proxies: ['127.0.0.1'],
      limits: { header_timeout: '300ms' },
      listeners: [
        { ...listener, port: plain },
        { ...listener, port: h2c, http2: true },
        { ...listener, port: tls, protocol: 'https', certificate: 'own.crt', key: 'own.key' },
      ],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const fieldsOf = (answer: string) =>
  (JSON.parse(answer.substring(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Echo).headers

async function refusals(): Promise<number> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(/^gatehouse_proxy_headers_refused_total (\d+)$/m.exec(text)![1])
}

/** Sends pieces one by one, each when the kernel has taken the one before. */
async function sendInPieces(socket: Socket, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + size), resolve))
    await new Promise(setImmediate)
  }
}

describe.each(['v1', 'v2'] as const)('a header of %s', (version) => {
  const header = proxyHeaderBytes(version, ends)

  test.each([1, 7, 1_000])(
    'tells the client, in pieces of %d bytes with the request behind it',
    async (size) => {
      const client = await openRaw(ports.plain)
      await sendInPieces(client.socket, Buffer.concat([header, Buffer.from(request)]), size)
      const answer = await client.closed
      expect(answer).toMatch(/^HTTP\/1\.1 200/)
      // The client is no trusted proxy, though the peer is: what it claims is replaced.
      expect(fieldsOf(answer)['x-forwarded-for']).toBe('203.0.113.7')
    },
  )

  test('stands before TLS', async () => {
    const raw = connectTcp(ports.tls, '127.0.0.1')
    raw.write(header)
    const socket = connectTls({ socket: raw, ca: authority.certificate, servername: 'own.test' })
    await once(socket, 'secureConnect')
    const fields = fieldsOf(await ask(socket, '/'))
    expect(fields).toMatchObject({ 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' })
  })

  test('stands before HTTP/2', async () => {
    const client = await openRaw(ports.h2c)
    const fields = block(get('/h2'))
    const start = flag.endHeaders | flag.endStream
    client.send(
      Buffer.concat([
        header,
        Buffer.from(preface),
        frame(type.settings, 0, 0),
        frame(type.headers, start, 1, fields),
      ]),
    )
    expect(await client.until(/\}$/)).toContain('"x-forwarded-for":"203.0.113.7"')
    client.socket.destroy()
  })
})

test('bytes of TLS that come in the packet of the header are not lost', async () => {
  // What a client says first is taken from a connection to nobody, and sent behind the header in one write.
  const raw = await openRaw(ports.tls)
  const relay = createServer((client) => {
    client.once('data', (hello: Buffer) => {
      raw.socket.write(Buffer.concat([proxyHeaderBytes('v2', ends), hello]))
      client.on('data', (chunk: Buffer) => raw.socket.write(chunk))
    })
    raw.socket.on('data', (chunk: Buffer) => client.write(chunk))
    raw.socket.on('end', () => client.end())
    client.on('error', () => {})
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const { port } = relay.address() as { port: number }
  const socket = connectTls({ host: '127.0.0.1', port, ca: authority.certificate, servername: 'own.test' })
  await once(socket, 'secureConnect')
  expect(fieldsOf(await ask(socket, '/'))['x-forwarded-for']).toBe('203.0.113.7')
  relay.close()
})

test('a proxy that speaks for itself is the client', async () => {
  for (const header of ['PROXY UNKNOWN\r\n', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0']) {
    const client = await openRaw(ports.plain)
    client.send(Buffer.from(header + request.replace(/X-F.*\r\n/, ''), 'latin1'))
    expect(fieldsOf(await client.closed)['x-forwarded-for']).toBe('127.0.0.1')
  }
})

test('a large body behind the header arrives whole', async () => {
  const body = Buffer.alloc(1_000_000, 'abcdefghij')
  const client = await openRaw(ports.plain)
  client.send(
    Buffer.concat([
      proxyHeaderBytes('v2', ends),
      Buffer.from(
        `POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
  )
  const answer = await client.closed
  const [, , ...rest] = answer.split('\r\n')
  expect(rest.join('\r\n')).toContain(`"body":"${body.toString()}"`)
})

describe('a connection is closed without an answer, and counted,', () => {
  test.each([
    ['that begins with a request', request],
    ['whose header is malformed', `PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n${request}`],
    ['whose header does not end', `PROXY UNKNOWN ${'x'.repeat(200)}`],
    ['whose header is late', 'PROXY TCP4 '],
    ['that says nothing', ''],
  ])('%s', async (_, bytes) => {
    const before = await refusals()
    const client = await openRaw(ports.plain)
    if (bytes !== '') client.send(bytes)
    expect(await client.closed).toBe('')
    await eventually('the count', async () => (await refusals()) === before + 1)
  })

  test('that comes from a peer that is not trusted', async () => {
    const before = await refusals()
    const socket = connectTcp({ port: ports.plain, host: '127.0.0.1', localAddress: '127.0.0.2' })
    socket.on('error', () => {})
    socket.write(Buffer.concat([proxyHeaderBytes('v1', ends), Buffer.from(request)]))
    expect(Buffer.concat(await socket.toArray().catch(() => [])).toString()).toBe('')
    await eventually('the count', async () => (await refusals()) === before + 1)
    await eventually('the line', async () =>
      /PROXY header refused reason="the peer is none of trusted_proxies" peer=127\.0\.0\.2/.test(
        await gateway.errorLog(),
      ),
    )
  })
})

test('access.log has the client that the header told', async () => {
  await eventually('a line', async () =>
    (await gateway.accessLog()).some(({ client_address }) => client_address === '203.0.113.7'),
  )
})
