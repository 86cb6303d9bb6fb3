import { X509Certificate } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Issued, newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { ask, openTls } from '../../../support/tls-client.ts'
import { type Echo, echo, startUpstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(mode: 'required' | 'optional') {
  const [serverAuthority, clientAuthority] = [await newAuthority(), await newAuthority()]
  const folder = await newFolder()
  const own = await writeIssued(folder, 'own', await serverAuthority.issue({ dns: ['own.test'] }))
  const other = await writeIssued(folder, 'other', await serverAuthority.issue({ dns: ['other.test'] }))
  const ca = join(folder, 'clients.crt')
  await writeFile(ca, clientAuthority.certificate)
  const port = await freePort()
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      trusted_proxies: ['127.0.0.1'],
      listeners: [{ host: '127.0.0.1', port, protocol: 'https', ...own, client_certificates: { ca, mode } }],
      certificates: [{ name: 'other', ...other }],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [
        { name: 'all', service: 'echo', paths: ['/'] },
        {
          name: 'admin',
          service: 'echo',
          paths: ['/'],
          headers: { 'x-client-cert-subject': ['CN=admin'] },
          strip_path: false,
        },
      ],
    },
  })
  ended.push(() => gateway.stop())
  const open = (client?: Issued, options: ConnectionOptions = {}) =>
    openTls(port, {
      ca: serverAuthority.certificate,
      servername: 'own.test',
      ...(client && { cert: client.certificate, key: client.key }),
      ...options,
    })
  /** The fields that the service saw. */
  const seen = async (client?: Issued, fields = '', options: ConnectionOptions = {}) => {
    const answer = await ask(await open(client, options), '/x', fields)
    return (JSON.parse(answer.substring(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Echo).headers
  }
  return { gateway, open, seen, clientAuthority, ca }
}

const invented =
  'X-Client-Cert-Subject: CN=admin\r\nX-Client-Cert-San: DNS:admin\r\nX-Client-Cert-Fingerprint: 00\r\n' +
  'Client-Cert: :AAAA:\r\nX_Client_Cert_Subject: CN=admin\r\n'

describe('a certificate that is required', () => {
  test('is passed on with its subject, names and fingerprint, whatever the client says of them', async () => {
    const { gateway, seen, clientAuthority } = await start('required')
    const client = await clientAuthority.issue({
      commonName: 'Bestellung, Größe=ü\n',
      dns: ['orders.test'],
      uri: ['spiffe://test/orders'],
      ip: ['10.0.0.1'],
    })
    for (const servername of ['own.test', 'other.test']) {
      const fields = await seen(client, invented, { servername })
      expect(fields).toMatchObject({
        'x-client-cert-subject': 'CN=Bestellung\\, Gr\\C3\\B6\\C3\\9Fe=\\C3\\BC\\0A',
        'x-client-cert-san': 'DNS:orders.test, URI:spiffe://test/orders',
        'x-client-cert-fingerprint': new X509Certificate(client.certificate).fingerprint256
          .replaceAll(':', '')
          .toLowerCase(),
      })
      expect(fields['client-cert']).toBeUndefined()
      expect(fields.x_client_cert_subject).toBeUndefined()
    }
    await eventually('the line', async () => (await gateway.accessLog()).length === 2)
    expect((await gateway.accessLog())[0]).toMatchObject({
      client_certificate: expect.stringMatching(/^CN=Bestellung/),
      route: 'all',
    })
  })

  test('is passed on for a session that is resumed as well', async () => {
    const { open, seen, clientAuthority } = await start('required')
    const client = await clientAuthority.issue({ commonName: 'orders' })
    const first = await open(client)
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    await ask(first, '/')
    const options = { session: await session }
    const resumed = await open(client, options)
    expect(resumed.isSessionReused()).toBe(true)
    resumed.destroy()
    expect(await seen(client, '', options)).toMatchObject({ 'x-client-cert-subject': 'CN=orders' })
  })

  test('that is missing, of another authority or expired ends the handshake', async () => {
    const { gateway, open, clientAuthority } = await start('required')
    const stranger = await newAuthority()
    const refused = async (client?: Issued) => {
      const socket = await open(client)
      expect(await ask(socket, '/').catch(() => '')).toBe('')
    }
    await refused()
    await refused(await stranger.issue({ commonName: 'orders' }))
    await refused(await clientAuthority.issue({ commonName: 'orders', lifetime: -1_000 }))
    await eventually('the lines', async () => {
      const log = await gateway.errorLog()
      return ['PEER_DID_NOT_RETURN_A_CERTIFICATE', 'CERT_SIGNATURE_FAILURE', 'CERT_HAS_EXPIRED'].every(
        (reason) => log.includes(reason),
      )
    })
    expect(await (await fetch(`${gateway.statusUrl}/metrics`)).text()).toContain(
      'gatehouse_tls_handshake_failures_total 3',
    )
  })

  test('is checked by other authorities when their file changes', async () => {
    const { open, seen, clientAuthority, ca } = await start('required')
    const client = await clientAuthority.issue({ commonName: 'orders' })
    const first = await open(client)
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    await ask(first, '/')
    const next = await newAuthority('Next')
    await writeFile(`${ca}.new`, next.certificate)
    await rename(`${ca}.new`, ca)
    const successor = await next.issue({ commonName: 'successor' })
    await eventually('the new authority', () => seen(successor).catch(() => undefined))
    const resumed = await open(client, { session: await session })
    expect(await ask(resumed, '/').catch(() => '')).toBe('')
  })
})

describe('a certificate that is optional', () => {
  test('is passed on where there is one; without one nothing is', async () => {
    const { open, seen, clientAuthority } = await start('optional')
    const client = await clientAuthority.issue({ commonName: 'orders' })
    expect(await seen(client)).toMatchObject({ 'x-client-cert-subject': 'CN=orders' })
    const anonymous = await seen(undefined, invented)
    expect(Object.keys(anonymous).filter((name) => /client.cert/.test(name))).toEqual([])
    // Nor in a session that is resumed, which Node.js takes for authorized.
    const first = await open()
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    await ask(first, '/')
    const resumed = await seen(undefined, invented, { session: await session })
    expect(Object.keys(resumed).filter((name) => /client.cert/.test(name))).toEqual([])
  })

  test('ends the handshake where it is wrong', async () => {
    const { gateway, open } = await start('optional')
    const stranger = await newAuthority()
    const socket = await open(await stranger.issue({ commonName: 'orders' }))
    expect(await ask(socket, '/').catch(() => '')).toBe('')
    await eventually('the line', async () =>
      /client failed reason=CERT_SIGNATURE_FAILURE client=127/.test(await gateway.errorLog()),
    )
  })
})
