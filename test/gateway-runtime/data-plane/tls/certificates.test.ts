import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Authority, type Issued, newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { ask, openTls } from '../../../support/tls-client.ts'
import { echo, startUpstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Started {
  readonly gateway: TestGateway
  readonly authority: Authority
  readonly folder: string
  readonly own: Issued
  /** The common name of the certificate that a client is shown. */
  shown(servername: string | undefined, options?: ConnectionOptions): Promise<string>
  open(servername: string): ReturnType<typeof openTls>
}

/** A listener whose own certificate is for `own.test`, with others beside it. */
async function start(listener: object, certificates: (folder: string, issued: Issued) => object[]) {
  const folder = await newFolder()
  const authority = await newAuthority()
  const own = await writeIssued(folder, 'own', await authority.issue({ dns: ['own.test'] }))
  const several = await authority.issue({
    commonName: 'several',
    dns: ['a.test', 'B.test', '*.wild.test', 'exact.wild.test'],
  })
  const port = await freePort()
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port, protocol: 'https', ...listener }],
      certificates: certificates(folder, await writeIssued(folder, 'several', several)),
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  const open = (servername: string | undefined, options: ConnectionOptions = {}) =>
    openTls(port, {
      ca: authority.certificate,
      checkServerIdentity: () => undefined,
      ...(servername !== undefined && { servername }),
      ...options,
    })
  return {
    gateway,
    authority,
    folder,
    own,
    open,
    async shown(servername, options) {
      const socket = await open(servername, options)
      const { subject } = socket.getPeerCertificate()
      socket.destroy()
      return String(subject.CN)
    },
  } satisfies Started as Started
}

const withOwn = async (certificates: (folder: string, issued: Issued) => object[], more: object = {}) => {
  const folder = await newFolder()
  const own = await writeIssued(folder, 'listener', await (await newAuthority()).issue({ dns: ['own.test'] }))
  return start({ ...own, ...more }, certificates)
}

describe('the certificate that a client is shown', () => {
  test('is the one for the name that it asks for', async () => {
    const authority = await newAuthority()
    const folder = await newFolder()
    const extra = await writeIssued(
      folder,
      'extra',
      await authority.issue({ commonName: 'extra', dns: ['x.test'] }),
    )
    const { shown } = await withOwn((_, several) => [
      { name: 'several', ...several },
      { name: 'extra', ...extra, hosts: ['exact.wild.test', 'other.test', 'Upper.Test'] },
    ])
    const options = { rejectUnauthorized: false }
    expect(await shown('a.test', options)).toBe('several')
    expect(await shown('A.TEST', options)).toBe('several')
    expect(await shown('b.test', options)).toBe('several')
    expect(await shown('one.wild.test', options)).toBe('several')
    expect(await shown('exact.wild.test', options)).toBe('several') // the first of two
    expect(await shown('other.test', options)).toBe('extra')
    expect(await shown('upper.test', options)).toBe('extra')
    // Neither the domain itself, nor two labels, nor a name that hosts left out.
    for (const name of ['wild.test', 'two.labels.wild.test', 'x.test', 'unknown.test', undefined])
      expect(await shown(name, options)).toBe('own.test')
    // Clients that name protocols and no server, as all do that go to an address.
    expect(await shown(undefined, { ...options, ALPNProtocols: ['h2', 'http/1.1'] })).toBe('own.test')
  })

  test('is none where the name is unknown and the listener says so, or has none of its own', async () => {
    const first = await withOwn((_, several) => [{ name: 'several', ...several }], { unknown_sni: 'refuse' })
    await expect(first.shown('unknown.test')).rejects.toThrow(/disconnected|closed|ECONNRESET/)
    await eventually('the line', async () =>
      /client failed reason="no certificate is for the server name"/.test(await first.gateway.errorLog()),
    )
    expect(await first.shown('a.test')).toBe('several')
    expect(await first.shown(undefined, { rejectUnauthorized: false })).toBe('own.test')
    const second = await start({}, (_, several) => [{ name: 'several', ...several }])
    await expect(second.shown('unknown.test')).rejects.toThrow(/alert handshake failure/i)
    expect(await second.shown('a.test')).toBe('several')
  })

  test('may stand as text where a reference was', async () => {
    const { shown } = await start({}, (folder) => [
      { name: 'text', certificate: `\${file:${folder}/several.crt}`, key: `\${file:${folder}/several.key}` },
    ])
    expect(await shown('a.test')).toBe('several')
  })
})

describe('a new certificate', () => {
  test('is taken up when its files change, and open connections stay', async () => {
    const { shown, open, authority, folder } = await start({}, (_, several) => [
      { name: 'several', ...several },
    ])
    const kept = await open('a.test')
    const renewed = await authority.issue({ commonName: 'renewed', dns: ['a.test', 'c.test'] })
    const files = await writeIssued(folder, 'renewed', renewed)
    await rename(files.key, join(folder, 'several.key'))
    await rename(files.certificate, join(folder, 'several.crt'))
    await eventually('the new certificate', async () => (await shown('a.test')) === 'renewed')
    expect(await shown('c.test')).toBe('renewed')
    await expect(shown('b.test')).rejects.toThrow(/alert handshake failure/i)
    expect(await ask(kept, '/kept')).toMatch(/^HTTP\/1\.1 200/)
  })

  test('that is broken is not: the one before stays', async () => {
    const { gateway, shown, folder } = await start({}, (_, several) => [{ name: 'several', ...several }])
    await writeFile(join(folder, 'several.crt'), 'nonsense')
    await eventually('the refusal', async () => /not a certificate in PEM/.test(await gateway.errorLog()))
    expect(await shown('a.test')).toBe('several')
  })

  test('can be added and deleted by gateway-cli, and its key is never shown', async () => {
    const { gateway, shown, own } = await start({}, (_, several) => [{ name: 'several', ...several }])
    await expect(shown('own.test')).rejects.toThrow()
    const added = await gateway.cli(
      'certificates',
      'add',
      '--name',
      'more',
      '--certificate',
      own.certificate,
      '--key',
      own.key,
    )
    expect(added).toMatchObject({ code: 0, stderr: '' })
    expect(await shown('own.test')).toBe('own.test')
    const list = await gateway.cli('certificates', 'list')
    expect(list.stdout).toMatch(/more\s+those in the certificate/)
    expect((await gateway.cli('certificates', 'delete', 'more')).code).toBe(0)
    await expect(shown('own.test')).rejects.toThrow()
  })
})
