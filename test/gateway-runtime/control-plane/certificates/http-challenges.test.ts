import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Pebble, startPebble } from '../../../support/pebble.ts'
import { freePorts } from '../../../support/ports.ts'
import { programForTests } from '../../../support/test-program.ts'
import { openTls } from '../../../support/tls-client.ts'
import { echo, startUpstream } from '../../../support/upstream.ts'

const { test } = await programForTests('pebble')
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Started {
  readonly gateway: TestGateway
  readonly pebble: Pebble
  readonly http: number
  readonly https: number
  readonly folder: string
}

/** A gateway with two workers whose route has these hosts, and an authority that asks it. */
async function start(hosts: readonly string[], acme: object = {}): Promise<Started> {
  const [http, https] = (await freePorts(2)) as [number, number]
  const pebble = await startPebble({ httpPort: http })
  ended.push(() => pebble.stop())
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      workers: 2,
      listeners: [
        { host: '127.0.0.1', port: http },
        { host: '127.0.0.1', port: https, protocol: 'https' },
      ],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', hosts }],
      acme: {
        authorities: [{ directory: pebble.directory, ca: pebble.ca, email: 'operator@example.com' }],
        terms_of_service_agreed: true,
        preflight: false,
        ...acme,
      },
    },
  })
  ended.push(() => gateway.stop())
  return { gateway, pebble, http, https, folder: join(gateway.stateDirectory, 'certificates') }
}

const readiness = async ({ gateway }: Started) => (await fetch(`${gateway.statusUrl}/readyz`)).text()

const allIssued = (started: Started) =>
  eventually('all certificates', async () => (await readiness(started)) === 'ready\n', 30_000).catch(
    async (error) => {
      throw new Error(`${error.message}\n${await started.gateway.errorLog()}`)
    },
  )

describe('certificates for the hosts of routes', () => {
  test('are ordered, shown, and kept where only the gateway reads them', async () => {
    const started = await start(['a.example.com', 'B.example.com'], { domains: ['more.example.com'] })
    const { gateway, pebble, http, https, folder } = started
    await allIssued(started)
    const ca = await pebble.root()
    for (const servername of ['a.example.com', 'b.example.com', 'more.example.com']) {
      const socket = await openTls(https, { ca, servername })
      expect(socket.authorized).toBe(true)
      socket.destroy()
    }
    expect(pebble.orders()).toBe(3)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    // Beside the lock there is a journal for as long as the node is at work, and beside a file one that takes its place.
    const files = (await readdir(folder)).filter((name) => !/-journal$|\.new$/.test(name))
    expect(files.filter((name) => name.startsWith('domain-')).sort()).toEqual([
      'domain-a.example.com.json',
      'domain-b.example.com.json',
      'domain-more.example.com.json',
    ])
    expect(files).toHaveLength(5) // with the account and the lock
    for (const name of files) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    expect(await gateway.errorLog()).not.toMatch(/PRIVATE KEY/)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toMatch(
      /gatehouse_certificate_expiry_timestamp_seconds\{domain="a\.example\.com"\} \d{10}/,
    )
    expect(metrics).toMatch(/gatehouse_certificate_failures\{domain="a\.example\.com"\} 0/)
    // Tokens are gone: the path is the routes' again.
    const path = '/.well-known/acme-challenge/x'
    const reply = await fetch(`http://127.0.0.1:${http}${path}`)
    expect(reply.status).toBe(404)
  })
})

describe('before the first certificate', () => {
  test('a self-signed one is shown where the setting says so, and readiness says what is missing', async () => {
    const started = await start(['a.example.com'], {
      authorities: [{ directory: 'https://127.0.0.1:1/dir' }],
      on_missing: 'self-signed',
    })
    expect(await readiness(started)).toBe('ready\nno certificate yet: a.example.com\n')
    const socket = await openTls(started.https, { servername: 'a.example.com', rejectUnauthorized: false })
    expect(socket.getPeerCertificate().subject.CN).toBe('a.example.com')
    socket.destroy()
    await eventually('the reason', async () =>
      /certificate not issued/.test(await started.gateway.errorLog()),
    )
    const metrics = async () => (await fetch(`${started.gateway.statusUrl}/metrics`)).text()
    await eventually('the reason in the metrics', async () =>
      /gatehouse_certificate_last_error\{domain="a\.example\.com",error="[^"]*ECONNREFUSED[^"]*"\} 1/.test(
        await metrics(),
      ),
    )
  })

  test('no handshake succeeds otherwise', async () => {
    const { https } = await start(['a.example.com'], {
      authorities: [{ directory: 'https://127.0.0.1:1/dir' }],
    })
    await expect(openTls(https, { servername: 'a.example.com' })).rejects.toThrow(/alert handshake failure/i)
  })
})
