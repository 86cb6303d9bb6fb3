import { rename, writeFile } from 'node:fs/promises'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Authority, newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'

const newFolder = temporaryFolders()
const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** A service over TLS that asks for certificates of `clients`, and tells who asked and for which name. */
async function startService(authority: Authority, clients: Authority | undefined, http2 = false) {
  const { certificate: cert, key } = await authority.issue({ dns: ['mesh.test', 'next.test'] })
  const options = {
    cert,
    key,
    ...(clients && { requestCert: true, rejectUnauthorized: true, ca: clients.certificate }),
  }
  const answer = (request: { socket: unknown }, response: { end(text: string): unknown }) => {
    const socket = request.socket as TLSSocket & { servername: string | false }
    const { subject } = socket.getPeerCertificate()
    response.end(JSON.stringify({ name: socket.servername, client: subject?.CN ?? null }))
  }
  const server = http2
    ? createSecureServer(options, (request, response) =>
        answer({ socket: request.stream.session!.socket }, response),
      )
    : createServer(options, answer)
  const sockets = new Set<TLSSocket>()
  server.on('secureConnection', (socket: TLSSocket) => sockets.add(socket))
  server.on('sessionError', () => {})
  const port = await listenOnFreePort(server)
  ended.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return port
}

async function start(service: object) {
  const gateway = await startGateway({
    config: {
      services: [{ name: 'mesh', retries: 0, ...service }],
      routes: [{ name: 'all', service: 'mesh', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  const ask = async () => {
    const response = await fetch(gateway.url)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const logged = (pattern: RegExp) =>
    eventually(String(pattern), async () => pattern.test(await gateway.errorLog()))
  return { gateway, ask, logged }
}

async function written(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
  return path
}

describe('a service that asks for a certificate', () => {
  test.each([false, true])(
    'gets the one of the gateway, and is verified by its own authority (HTTP/2: %s)',
    async (http2) => {
      const [servers, clients] = [await newAuthority('Servers'), await newAuthority('Clients')]
      const folder = await newFolder()
      const own = await writeIssued(folder, 'gateway', await clients.issue({ commonName: 'gateway' }))
      const port = await startService(servers, clients, http2)
      const { ask } = await start({
        url: `https://127.0.0.1:${port}/`,
        ca: await written(folder, 'ca.crt', servers.certificate),
        client_certificate: own.certificate,
        client_key: own.key,
        server_name: 'mesh.test',
        ...(http2 && { http_version: '2' }),
      })
      expect(await ask()).toEqual({ status: 200, body: { name: 'mesh.test', client: 'gateway' } })
    },
  )

  test('gets a new one when its files change', async () => {
    const [servers, clients] = [await newAuthority('Servers'), await newAuthority('Clients')]
    const folder = await newFolder()
    const own = await writeIssued(folder, 'gateway', await clients.issue({ commonName: 'first' }))
    const { ask } = await start({
      url: `https://127.0.0.1:${await startService(servers, clients)}/`,
      ca: await written(folder, 'ca.crt', servers.certificate),
      client_certificate: own.certificate,
      client_key: own.key,
      server_name: 'mesh.test',
    })
    expect((await ask()).body.client).toBe('first')
    const next = await clients.issue({ commonName: 'second' })
    await written(folder, 'gateway.key', next.key)
    await written(folder, 'gateway.crt', next.certificate)
    await eventually('the new certificate', async () => (await ask()).body.client === 'second')
  })

  test('refuses the gateway where it has none, and error.log says so', async () => {
    const [servers, clients] = [await newAuthority('Servers'), await newAuthority('Clients')]
    const folder = await newFolder()
    const { ask, logged } = await start({
      url: `https://127.0.0.1:${await startService(servers, clients)}/`,
      ca: await written(folder, 'ca.crt', servers.certificate),
      server_name: 'mesh.test',
    })
    expect(await ask()).toMatchObject({ status: 502, body: { code: 'upstream-tls-failed' } })
    await logged(/upstream TLS handshake failed reason=ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED/)
  })
})

describe('a service whose certificate is not right', () => {
  test('is not spoken to: another authority, another name, and both are said', async () => {
    const [servers, others] = [await newAuthority('Servers'), await newAuthority('Others')]
    const folder = await newFolder()
    const port = await startService(servers, undefined)
    const url = `https://127.0.0.1:${port}/`
    const first = await start({
      url,
      server_name: 'mesh.test',
      ca: await written(folder, 'others.crt', others.certificate),
    })
    expect(await first.ask()).toMatchObject({ status: 502, body: { code: 'upstream-tls-failed' } })
    await first.logged(/reason="UNABLE_TO_VERIFY_LEAF_SIGNATURE: /)
    const ca = await written(folder, 'ca.crt', servers.certificate)
    const second = await start({ url, server_name: 'wrong.test', ca })
    expect(await second.ask()).toMatchObject({ status: 502, body: { code: 'upstream-tls-failed' } })
    await second.logged(/ERR_TLS_CERT_ALTNAME_INVALID: .*wrong\.test.*mesh\.test/)
    const third = await start({ url, ca }) // by its address, which is not in the certificate
    expect(await third.ask()).toMatchObject({ status: 502, body: { code: 'upstream-tls-failed' } })
  })

  test('is spoken to where tls_verify is off', async () => {
    const port = await startService(await newAuthority(), undefined)
    const { ask } = await start({ url: `https://127.0.0.1:${port}/`, tls_verify: false })
    expect((await ask()).status).toBe(200)
  })
})

test.each([
  [{ client_certificate: '/a.crt' }, /client_certificate and client_key go together/],
  [{ url: 'http://127.0.0.1:1/', server_name: 'a.test' }, /go with https or grpcs/],
  [{ ca: '/missing.crt' }, /config\.yaml:\d+:\d+: the certificates cannot be read: no such file/],
])('a configuration that cannot work is refused: %j', async (service, reason) => {
  await expect(start({ url: 'https://127.0.0.1:1/', ...service })).rejects.toThrow(reason)
})
