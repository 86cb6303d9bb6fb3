import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { HttpCheck } from '../../../../gateway-runtime/src/config/snapshot.ts'
import { httpCheck } from '../../../../gateway-runtime/src/control-plane/health-checks/http-check.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { abortable, absentTarget, never, rawServer, startedServers, untrustedCertificate } from './servers.ts'

const servers = startedServers()
afterEach(() => servers.stopAll())
const newFolder = temporaryFolders()

const plain: HttpCheck = {
  type: 'http',
  tls: false,
  tlsVerify: true,
  host: undefined,
  path: '/',
  expectedStatuses: [{ from: 200, to: 399 }],
}

async function checkServer(listener: RequestListener, settings: Partial<HttpCheck> = {}) {
  const target = await servers.start(createServer(listener))
  return httpCheck(target, { ...plain, ...settings })(never())
}

async function checkRaw(answer: string) {
  const { server } = rawServer(answer)
  return httpCheck(await servers.start(server), plain)(never())
}

describe('a target', () => {
  test('is asked for its path, under its own address or the host that is set', async () => {
    const seen: IncomingMessage[] = []
    const listener: RequestListener = (request, response) => {
      seen.push(request)
      response.end('well')
    }
    const target = await servers.start(createServer(listener))
    await httpCheck(target, { ...plain, path: '/healthz?deep=1' })(never())
    await httpCheck(target, { ...plain, host: 'orders.internal' })(never())
    expect(seen.map(({ method, url, headers }) => [method, url, headers.host, headers.connection])).toEqual([
      ['GET', '/healthz?deep=1', `127.0.0.1:${target.port}`, 'close'],
      ['GET', '/', 'orders.internal', 'close'],
    ])
    expect(seen[0]!.headers['user-agent']).toMatch(/^gatehouse\//)
  })

  test.each([
    [204, [{ from: 200, to: 399 }], true],
    [302, [{ from: 200, to: 399 }], true],
    [400, [{ from: 200, to: 399 }], false],
    [
      200,
      [
        { from: 204, to: 204 },
        { from: 404, to: 404 },
      ],
      false,
    ],
    [
      404,
      [
        { from: 204, to: 204 },
        { from: 404, to: 404 },
      ],
      true,
    ],
  ])('that answers %i, where %j are expected: %s', async (status, expectedStatuses, isWell) => {
    const check = checkServer((_, response) => response.writeHead(status).end(), { expectedStatuses })
    if (isWell) await check
    else await expect(check).rejects.toThrow(`status ${status}`)
  })

  test('with a body that has no end is judged by its status', async () => {
    await checkServer((_, response) => {
      const more = (error?: Error | null) => !error && response.write('x'.repeat(16_384), more)
      more()
    })
  })

  test('that stops within its answer is not well', async () => {
    await expect(
      checkServer((_, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('half')
        response.socket!.end()
      }),
    ).rejects.toThrow('closed before the answer was complete')
  })

  test.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a head past its bound', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
    ['nothing but interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000)],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ])('that answers with %s is not well', async (_, answer) => {
    await expect(checkRaw(answer)).rejects.toThrow()
  })

  test('that closes without an answer is not well', async () => {
    await expect(checkServer((request) => void request.socket.end())).rejects.toThrow('socket hang up')
  })

  test('that is not there is not well', async () => {
    await expect(httpCheck(await absentTarget(), plain)(never())).rejects.toThrow('ECONNREFUSED')
  })
})

test('a check that is given up closes its connection', async () => {
  const { server, next } = rawServer(undefined)
  const target = await servers.start(server)
  const { signal, abort } = abortable()
  const connection = next()
  const check = httpCheck(target, plain)(signal)
  const socket = await connection
  const closed = once(socket, 'close')
  abort()
  await expect(check).rejects.toThrow()
  await closed
})

test('over TLS, a certificate that is not trusted fails the check unless it need not be', async () => {
  const tls = await untrustedCertificate(await newFolder())
  let name: string | false | undefined
  const server = createTlsServer(tls, (request, response) => {
    name = (request.socket as unknown as { servername: string | false }).servername
    response.end()
  })
  const target = await servers.start(server)
  const overTls = { ...plain, tls: true, host: 'orders.internal:8443' }
  await expect(httpCheck(target, overTls)(never())).rejects.toThrow('certificate')
  await httpCheck(target, { ...overTls, tlsVerify: false })(never())
  expect(name).toBe('orders.internal')
})
