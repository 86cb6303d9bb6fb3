import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { openRaw } from '../../../support/raw-client.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { ask, openTls } from '../../../support/tls-client.ts'
import { echo, startUpstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(config: object = {}, listener: object = {}) {
  const authority = await newAuthority()
  const folder = await newFolder()
  const own = await writeIssued(folder, 'own', await authority.issue({ dns: ['own.test'] }))
  const other = await writeIssued(folder, 'other', await authority.issue({ dns: ['other.test'] }))
  const port = await freePort()
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port, protocol: 'https', ...own, ...listener }],
      certificates: [{ name: 'other', ...other }],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      ...config,
    },
  })
  ended.push(() => gateway.stop())
  const open = (options: ConnectionOptions = {}) =>
    openTls(port, { ca: authority.certificate, servername: 'own.test', ...options })
  return { gateway, port, open }
}

/** A session to resume: with TLS 1.3 it comes behind the handshake. */
async function sessionOf(socket: TLSSocket): Promise<Buffer> {
  const session =
    socket.getProtocol() === 'TLSv1.3'
      ? new Promise<Buffer>((resolve) => socket.once('session', resolve))
      : socket.getSession()!
  expect(await ask(socket, '/')).toMatch(/^HTTP\/1\.1 200/)
  return session
}

async function isResumed(
  open: (options: ConnectionOptions) => Promise<TLSSocket>,
  options: ConnectionOptions,
) {
  const socket = await open(options)
  const resumed = socket.isSessionReused()
  expect(await ask(socket, '/')).toMatch(/^HTTP\/1\.1 200/)
  return resumed
}

async function metric(gateway: TestGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`^gatehouse_${name} (.*)$`, 'm').exec(text)?.[1])
}

describe('a session', () => {
  test.each([
    ['TLSv1.3', 'own.test'],
    ['TLSv1.3', 'other.test'],
    ['TLSv1.2', 'own.test'],
    ['TLSv1.2', 'other.test'],
  ] as const)('of %s for %s is resumed by every worker', async (maxVersion, servername) => {
    const { open } = await start({ workers: 3 }, { min_tls_version: '1.2' })
    const session = await sessionOf(await open({ maxVersion, servername }))
    const resumed: boolean[] = []
    for (let round = 0; round < 16; round++)
      resumed.push(await isResumed(open, { maxVersion, servername, session }))
    expect(resumed).toEqual(Array(16).fill(true))
  })

  test('of keys that are no longer in force begins anew', async () => {
    const { gateway, open } = await start({ workers: 2 })
    const session = await sessionOf(await open())
    expect(await isResumed(open, { session })).toBe(true)
    const file = join(gateway.configDirectory, 'config.yaml')
    await writeFile(file, `${await readFile(file, 'utf8')}\ntls: { ticket_rotation: 1h }\n`)
    await eventually(
      'the reload',
      async () => (await metric(gateway, 'config_reloads_total{result="accepted"}')) === 2,
    )
    expect(await isResumed(open, { session })).toBe(true) // a reload is no rotation
    await writeFile(file, (await readFile(file, 'utf8')).replace('1h', '100ms'))
    await eventually('a full handshake', async () => !(await isResumed(open, { session })))
  })

  test('of another listener is not taken', async () => {
    const authority = await newAuthority()
    const own = await writeIssued(await newFolder(), 'own', await authority.issue({ dns: ['own.test'] }))
    const [first, second] = [await freePort(), await freePort()]
    const listener = { host: '127.0.0.1', protocol: 'https', ...own }
    const upstream = await startUpstream(echo)
    ended.push(() => upstream.stop())
    const gateway = await startGateway({
      config: {
        listeners: [
          { ...listener, port: first },
          { ...listener, port: second },
        ],
        services: [{ name: 'echo', url: upstream.url }],
        routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      },
    })
    ended.push(() => gateway.stop())
    const options = { ca: authority.certificate, servername: 'own.test' }
    const session = await sessionOf(await openTls(first, options))
    expect(await isResumed((more) => openTls(first, { ...options, ...more }), { session })).toBe(true)
    expect(await isResumed((more) => openTls(second, { ...options, ...more }), { session })).toBe(false)
  })
})

describe('TLS 1.2, where a listener takes it', () => {
  test('knows only ciphers with forward secrecy and authenticated encryption', async () => {
    const { open } = await start({}, { min_tls_version: '1.2' })
    const socket = await open({ maxVersion: 'TLSv1.2' })
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256')
    socket.destroy()
    const weak = ['ECDHE-ECDSA-AES128-SHA256', 'AES128-GCM-SHA256', 'DHE-RSA-AES128-GCM-SHA256']
    for (const ciphers of weak)
      await expect(open({ maxVersion: 'TLSv1.2', ciphers })).rejects.toThrow(/handshake failure/)
    await expect(open({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' })).rejects.toThrow()
  })

  test('takes the cipher that the server prefers, and no renegotiation', async () => {
    const { open } = await start({}, { min_tls_version: '1.2' })
    const socket = await open({
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
    })
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256')
    const error = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve)
      socket.renegotiate({}, resolve)
    })
    expect(error?.message).toMatch(/no renegotiation/i)
    socket.destroy()
  })
})

describe('a handshake that fails', () => {
  test('is counted and said, with its reason', async () => {
    const { gateway, open, port } = await start()
    await expect(open({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/)
    await eventually('the count', async () => (await metric(gateway, 'tls_handshake_failures_total')) === 1)
    const line = /TLS handshake of a client failed reason=ERR_SSL_UNSUPPORTED_PROTOCOL client=127\.0\.0\.1/
    await eventually('the line', async () => line.test(await gateway.errorLog()))
    const plain = await openRaw(port)
    plain.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    await plain.closed
    await eventually('the count', async () => (await metric(gateway, 'tls_handshake_failures_total')) === 2)
    // Who only looks whether the port is open has failed nothing.
    const probe = await openRaw(port)
    probe.socket.destroy()
    const socket = await open()
    expect(await ask(socket, '/')).toMatch(/^HTTP\/1\.1 200/)
    expect(await metric(gateway, 'tls_handshake_failures_total')).toBe(2)
  })

  test('by its silence is ended', async () => {
    const { gateway, port } = await start({ tls: { handshake_timeout: '200ms' } })
    const client = await openRaw(port)
    expect(await client.closed).toBe('')
    await eventually('the count', async () => (await metric(gateway, 'tls_handshake_failures_total')) === 1)
    await eventually('the line', async () =>
      (await gateway.errorLog()).includes('reason=ERR_TLS_HANDSHAKE_TIMEOUT'),
    )
  })

  test('because the client ends is none, and keeps nothing open', async () => {
    const { gateway, open, port } = await start({ tls: { handshake_timeout: '60s' } })
    for (const first of ['', '\x16\x03\x01\x02']) {
      const client = await openRaw(port)
      client.socket.end(first, 'latin1')
      expect(await client.closed).toBe('') // at once: the limit is far
    }
    expect(await metric(gateway, 'tls_handshake_failures_total')).toBe(0)
    // Behind the handshake, a client that has said all still gets its answer.
    const socket = await open({ allowHalfOpen: true } as ConnectionOptions)
    socket.end('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1\.1 200/)
  })
})
