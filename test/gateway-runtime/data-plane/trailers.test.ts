import { createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { listenOnFreePort } from '../../support/ports.ts'
import { openRaw } from '../../support/raw-client.ts'

// A service that says every byte itself: what it is sent is kept, and what it answers depends on the path.
let service: Server
let received = ''
const sockets = new Set<Socket>()
let gateway: TestGateway

const answers: Record<string, string> = {
  '/trailers':
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-checksum: abc\r\nx-empty:\r\nhost: evil\r\nset-cookie: a=b\r\n\r\n',
  '/hints':
    'HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  '/continue': 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
}

beforeAll(async () => {
  service = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const path = /^\w+ (\S+) /.exec(received)?.[1]
      const complete = received.startsWith('GET') || received.includes('\r\n0\r\n')
      if (complete && received.endsWith('\r\n\r\n'))
        socket.write(answers[path ?? ''] ?? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    })
  })
  const port = await listenOnFreePort(service)
  gateway = await startGateway({
    config: {
      services: [{ name: 'raw', url: `http://127.0.0.1:${port}` }],
      routes: [{ name: 'all', service: 'raw', paths: ['/'], strip_path: false }],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  for (const socket of sockets) socket.destroy()
  service?.close()
})

async function ask(request: string, until: RegExp): Promise<string> {
  received = ''
  const client = await openRaw(gateway.ports.http)
  client.send(request)
  const answer = await client.until(until)
  client.socket.destroy()
  return answer
}

describe('trailers', () => {
  test('of an answer reach a client that takes them, without those that frame or route', async () => {
    const answer = await ask(
      'GET /trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n',
      /\r\n0\r\n(.*\r\n)?\r\n$/s,
    )
    expect(answer).toMatch(/\r\n4\r\nbody\r\n0\r\nx-checksum: abc\r\nx-empty: \r\n\r\n$/)
    expect(received).toContain('te: trailers\r\nconnection: te\r\n')
  })

  test('of an answer are left out where the client did not ask for them', async () => {
    const answer = await ask('GET /trailers HTTP/1.1\r\nHost: h\r\n\r\n', /\r\n0\r\n(.*\r\n)?\r\n$/s)
    expect(answer).toMatch(/\r\n4\r\nbody\r\n0\r\n\r\n$/)
  })

  test('of a request reach the service, and never become part of its header', async () => {
    await ask(
      'POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n',
      /200 OK/,
    )
    expect(received).toMatch(/\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n$/)
    expect(received).not.toContain('9.9.9.9')
  })

  test('that would frame the request are refused', async () => {
    const answer = await ask(
      'POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 2\r\n\r\n',
      /malformed-request/,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('that come in pieces are put together', async () => {
    received = ''
    const client = await openRaw(gateway.ports.http)
    client.socket.setNoDelay(true)
    client.send('POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n')
    for (const byte of 'X-Long-Name: a value\r\nX-Second: 2\r\n\r\n') {
      client.send(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await client.until(/200 OK/)
    client.socket.destroy()
    expect(received).toMatch(/0\r\nX-Long-Name: a value\r\nX-Second: 2\r\n\r\n$/)
  })
})

describe('interim answers', () => {
  test('are passed on', async () => {
    const answer = await ask('GET /hints HTTP/1.1\r\nHost: h\r\n\r\n', /ok$/)
    expect(answer).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/style\.css>\r\n/)
    expect(answer).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  test('are not for HTTP/1.0, and 100 is the business of the gateway', async () => {
    expect(await ask('GET /hints HTTP/1.0\r\nHost: h\r\n\r\n', /ok$/)).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(await ask('GET /continue HTTP/1.1\r\nHost: h\r\n\r\n', /ok$/)).toMatch(/^HTTP\/1\.1 200 OK/)
  })
})
