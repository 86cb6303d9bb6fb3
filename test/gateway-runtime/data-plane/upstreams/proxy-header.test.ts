import { createServer as createHttp, Server as HttpServer, request as httpRequest } from 'node:http'
import { createServer as createHttp2, createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { parseProxyHeader } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/header-parser.ts'
import { newAuthority } from '../../../support/certificates.ts'
import { startGateway } from '../../../support/gateway.ts'
import { listenOnFreePort } from '../../../support/ports.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** Takes the PROXY header of each connection and gives the rest to a server that does not listen itself. */
async function startBehindHeader(inner: Server) {
  const headers: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', function take(chunk: Buffer) {
      bytes = Buffer.concat([bytes, chunk])
      const header = parseProxyHeader(bytes)
      if (!header) return
      socket.off('data', take)
      socket.pause()
      headers.push(
        `${header.ends!.sourceAddress} ${header.ends!.sourcePort} ${header.ends!.destinationAddress}`,
      )
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
      inner.emit('connection', socket)
      if (inner instanceof HttpServer) socket.resume() // the others read past the stream
    })
  })
  const port = await listenOnFreePort(server)
  ended.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port, headers }
}

async function start(service: object, files: Record<string, string> = {}) {
  const gateway = await startGateway({
    files,
    config: {
      trusted_proxies: ['127.0.0.9'],
      services: [{ name: 's', ...service }],
      routes: [{ name: 'all', service: 's', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  /** A request over a connection of its own from a local address. */
  const ask = (localAddress: string, fields: Record<string, string> = {}, body = '') =>
    new Promise<string>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: gateway.ports.http,
        localAddress,
        headers: fields,
        method: 'POST',
      }
      const request = httpRequest(options, (response) => {
        response
          .toArray()
          .then((chunks) => resolve(`${response.statusCode} ${Buffer.concat(chunks)}`), reject)
      })
      request.on('error', reject).end(body)
    })
  return { gateway, ask }
}

describe.each(['v1', 'v2'] as const)('a service that takes headers of %s', (version) => {
  const settings = { proxy_protocol: version, retries: 0 }

  test('is told each client on connections that clients do not share', async () => {
    const service = await startBehindHeader(createHttp((_, response) => response.end('done')))
    const { ask } = await start({ ...settings, url: `http://127.0.0.1:${service.port}` })
    for (const client of ['127.0.0.1', '127.0.0.2', '127.0.0.1', '127.0.0.2'])
      expect(await ask(client)).toBe('200 done')
    // Two connections, each used twice.
    expect(service.headers).toEqual([
      expect.stringMatching(/^127\.0\.0\.1 [1-9]\d* 127\.0\.0\.1$/),
      expect.stringMatching(/^127\.0\.0\.2 [1-9]\d* 127\.0\.0\.1$/),
    ])
    // Behind a trusted proxy it is the client that the proxy names.
    expect(await ask('127.0.0.9', { 'x-forwarded-for': '2001:db8::7' })).toBe('200 done')
    expect(service.headers[2]).toBe('2001:db8::7 0 127.0.0.1')
  })

  test('is told in front of TLS', async () => {
    const authority = await newAuthority()
    const { certificate: cert, key } = await authority.issue({ dns: ['mesh.test'] })
    const inner = createHttps({ cert, key }, (request, response) => request.pipe(response))
    const service = await startBehindHeader(inner)
    const { ask } = await start(
      // By a name that may stand for an IPv6 address as well, where nobody listens.
      {
        ...settings,
        retries: 3,
        url: `https://localhost:${service.port}`,
        server_name: 'mesh.test',
        ca: 'ca.crt',
      },
      { 'ca.crt': authority.certificate },
    )
    const body = 'x'.repeat(200_000)
    for (const client of ['127.0.0.1', '127.0.0.2', '127.0.0.1'])
      expect(await ask(client, {}, body)).toBe(`200 ${body}`)
    expect(service.headers.map((header) => header.split(' ')[0])).toEqual(['127.0.0.1', '127.0.0.2'])
  })

  test('is told in front of HTTP/2, in clear and over TLS', async () => {
    const authority = await newAuthority()
    const { certificate: cert, key } = await authority.issue({ dns: ['mesh.test'] })
    const plain = await startBehindHeader(createHttp2((_, response) => response.end('done')))
    const secure = await startBehindHeader(
      createSecureServer({ cert, key }, (_, response) => response.end('done')),
    )
    const services = [
      [plain, { url: `http://127.0.0.1:${plain.port}` }],
      [secure, { url: `https://127.0.0.1:${secure.port}`, server_name: 'mesh.test', ca: 'ca.crt' }],
    ] as const
    for (const [{ headers }, where] of services) {
      const { ask } = await start(
        { ...settings, ...where, http_version: '2' },
        { 'ca.crt': authority.certificate },
      )
      for (const client of ['127.0.0.1', '127.0.0.2', '127.0.0.1']) expect(await ask(client)).toBe('200 done')
      expect(headers.map((header) => header.split(' ')[0])).toEqual(['127.0.0.1', '127.0.0.2'])
    }
  })

  test('that is not there is a connection refused', async () => {
    const server = createServer()
    const port = await listenOnFreePort(server)
    await new Promise((resolve) => server.close(resolve))
    for (const scheme of ['http', 'https']) {
      const { ask } = await start({ ...settings, url: `${scheme}://127.0.0.1:${port}` })
      expect(await ask('127.0.0.1')).toMatch(/^502 .*upstream-connection-refused/)
    }
  })
})
