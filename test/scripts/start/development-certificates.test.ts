import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer as createTlsServer } from 'node:tls'
import { describe, expect, test } from '@jest/globals'
import {
  developmentAuthority,
  ensureServerCertificate,
} from '../../../scripts/start/development-certificates.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const folder = temporaryFolders()
const day = 86_400_000
const read = async (path: string) => new X509Certificate(await readFile(path))

async function makeBoth(directory: string) {
  const authority = await developmentAuthority(join(directory, 'ca'))
  const server = { certificate: join(directory, 'tls/server.crt'), key: join(directory, 'tls/server.key') }
  const made = await ensureServerCertificate(server, authority)
  return { authority, server, made }
}

describe('the development CA', () => {
  test('is made once and kept', async () => {
    const directory = await folder()
    const first = await developmentAuthority(directory)
    const before = await readFile(first.certificate, 'utf8')
    const second = await developmentAuthority(directory)
    expect(await readFile(second.certificate, 'utf8')).toBe(before)
    expect((await read(first.certificate)).ca).toBe(true)
  })

  test('leaves its key to its owner alone', async () => {
    const { authority, server } = await makeBoth(await folder())
    expect((await stat(authority.key)).mode & 0o777).toBe(0o600)
    expect((await stat(server.key)).mode & 0o777).toBe(0o600)
  })
})

describe('the server certificate', () => {
  test('is ECDSA P-256, for localhost and both loopback addresses, for 90 days', async () => {
    const { server, authority } = await makeBoth(await folder())
    const certificate = await read(server.certificate)
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    expect(certificate.checkHost('localhost')).toBe('localhost')
    for (const address of ['127.0.0.1', '::1']) expect(certificate.checkIP(address)).toBe(address)
    expect(certificate.verify((await read(authority.certificate)).publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(await readFile(server.key)))).toBe(true)
    const left = Date.parse(certificate.validTo) - Date.now()
    expect(Math.round(left / day)).toBe(90)
  })

  test('is accepted by a TLS client that trusts the CA', async () => {
    const { server, authority } = await makeBoth(await folder())
    const listener = createTlsServer(
      { cert: await readFile(server.certificate), key: await readFile(server.key) },
      (socket) => socket.end('hello'),
    )
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as AddressInfo
    const ca = await readFile(authority.certificate)
    const client = connect({ port, host: '127.0.0.1', servername: 'localhost', ca })
    const authorized = await new Promise<boolean>((resolve, reject) => {
      client.once('error', reject)
      client.once('secureConnect', () => resolve(client.authorized))
    })
    client.destroy()
    await new Promise((resolve) => listener.close(resolve))
    expect(authorized).toBe(true)
  })

  test('is kept while it lasts', async () => {
    const { server, authority, made } = await makeBoth(await folder())
    expect(made).toBe(true)
    expect(await ensureServerCertificate(server, authority)).toBe(false)
  })

  test('is made anew when the CA is another one', async () => {
    const { server } = await makeBoth(await folder())
    const other = await developmentAuthority(await folder())
    expect(await ensureServerCertificate(server, other)).toBe(true)
    const issuer = await read(other.certificate)
    expect((await read(server.certificate)).verify(issuer.publicKey)).toBe(true)
  })

  test('is made anew when its file is damaged', async () => {
    const { server, authority } = await makeBoth(await folder())
    await writeFile(server.certificate, 'no certificate')
    expect(await ensureServerCertificate(server, authority)).toBe(true)
  })

  test('is made anew when less than 30 days are left', async () => {
    const { server, authority } = await makeBoth(await folder())
    const now = Date.now()
    const clock = Date.now
    try {
      Date.now = () => now + 61 * day
      expect(await ensureServerCertificate(server, authority)).toBe(true)
      Date.now = () => now + 61 * day + 59 * day
      expect(await ensureServerCertificate(server, authority)).toBe(false)
    } finally {
      Date.now = clock
    }
  })
})
