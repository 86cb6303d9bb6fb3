import '../../../../gateway-runtime/src/control-plane/reflect-metadata.ts'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { startGatewayProcess } from '../../../../scripts/process/gateway.ts'
import { adminToken, callAdmin } from '../../../support/admin-client.ts'
import { newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Pebble, startPebble } from '../../../support/pebble.ts'
import { freePorts } from '../../../support/ports.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { ask, openTls } from '../../../support/tls-client.ts'
import { echo, startUpstream } from '../../../support/upstream.ts'

// Loaded only now: it needs what reflect-metadata.ts sets.
const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import('@peculiar/x509')

const redisServer = await programForTests('redis-server')
const pebbleProgram = await programForTests('pebble')
const test = redisServer.isInstalled ? pebbleProgram.test : redisServer.test
const long = 120_000
const sources = join(import.meta.dirname, '../../../../gateway-runtime/src')
const domains = Array.from({ length: 20 }, (_, index) => `d${index}.example.com`)

let redis: RedisCluster
let pebble: Pebble
const gateways: TestGateway[] = []
let https: number
let folder: string
const ended: (() => Promise<unknown>)[] = []

// Three gateways listen on the same ports: the system gives a connection to any of them.
beforeAll(async () => {
  if (!redisServer.isInstalled || !pebbleProgram.isInstalled) return
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  ended.push(() => rm(folder, { recursive: true }))
  const [http, tls] = (await freePorts(2)) as [number, number]
  https = tls
  redis = await startRedisCluster(redisServer.path)
  ended.push(() => redis.stop())
  pebble = await startPebble({ httpPort: http, tlsPort: https })
  ended.push(() => pebble.stop())
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const config = {
    listeners: [
      { host: '127.0.0.1', port: http },
      { host: '127.0.0.1', port: https, protocol: 'https', unknown_sni: 'refuse' },
    ],
    redis: { cluster: redis.addresses, timeout: 2_000 },
    certificate_store: { kind: 'redis', encryption_key: Buffer.alloc(32, 1).toString('base64') },
    services: [{ name: 'echo', url: upstream.url }],
    routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
    acme: {
      authorities: [{ directory: pebble.directory, ca: pebble.ca }],
      terms_of_service_agreed: true,
      preflight: false,
      domains,
    },
  }
  for (let index = 0; index < 3; index++) {
    const gateway = await startGateway({ config })
    ended.push(() => gateway.stop())
    gateways.push(gateway)
  }
}, long)
afterAll(async () => {
  for (const end of ended.reverse()) await end()
}, long)

interface Listed {
  readonly domain: string
  readonly issued_at: string | null
}

const list = async (gateway: TestGateway): Promise<Listed[]> =>
  (await callAdmin(`${gateway.adminUrl}/acme/certificates`, { token: adminToken(gateway) })).body.data

const logged = async (pattern: RegExp) =>
  (await Promise.all(gateways.map((gateway) => gateway.errorLog())))
    .flatMap((log) => log.split('\n'))
    .filter((line) => pattern.test(line))

/** Lines of the error logs that say why a domain was asked for again. */
const failedOrders = () => logged(/certificate not issued|authority failed/)

const failedHandshakes = () => logged(/TLS handshake of a client failed/)

test(
  'each of 20 domains is ordered once by three gateways; renewed under load, no handshake fails',
  async () => {
    const ready = async ({ statusUrl }: TestGateway) =>
      (await (await fetch(`${statusUrl}/readyz`)).text()) === 'ready\n'
    await eventually(
      'all certificates everywhere',
      async () => (await Promise.all(gateways.map(ready))).every(Boolean),
      60_000,
    )
    expect({ orders: pebble.orders(), failures: await failedOrders() }).toEqual({ orders: 20, failures: [] })

    const ca = await pebble.root()
    const kept = await openTls(https, { ca, servername: domains[0]! })
    kept.write('GET /first HTTP/1.1\r\nHost: h\r\n\r\n') // a connection without a request is not kept so long
    await once(kept, 'data')
    kept.pause()
    const before = await list(gateways[0]!)
    let isOver = false
    let handshakes = 0
    const failures: string[] = []
    const load = async (offset: number) => {
      for (let turn = offset; !isOver; turn++) {
        const servername = domains[turn % domains.length]!
        await openTls(https, { ca, servername }).then(
          (socket) => void socket.destroy(),
          (error: Error) => void failures.push(error.message),
        )
        handshakes++
      }
    }
    const loads = [0, 7].map(load)
    const renewed = await gateways[1]!.cli('certificates', 'renew', '--no-wait')
    expect(renewed).toMatchObject({ code: 0, stdout: expect.stringContaining('Ordered: d0.example.com') })
    const isNew = async (gateway: TestGateway) => {
      const now = await list(gateway)
      return now.every(({ issued_at }, index) => issued_at !== null && issued_at > before[index]!.issued_at!)
    }
    await eventually(
      'all are new everywhere',
      async () => (await Promise.all(gateways.map(isNew))).every(Boolean),
      60_000,
    )
    isOver = true
    await Promise.all(loads)
    expect({ failures, reasons: await failedHandshakes() }).toEqual({ failures: [], reasons: [] })
    expect(handshakes).toBeGreaterThan(40)
    expect({ orders: pebble.orders(), failures: await failedOrders() }).toEqual({ orders: 40, failures: [] })
    expect(await ask(kept, '/still-open')).toContain('200 OK') // on the connection of before
  },
  long,
)

test('a session that one gateway began is resumed by any', async () => {
  const ca = await pebble.root()
  const first = await openTls(https, { ca, servername: domains[0]! })
  const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
  first.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  const ticket = await session
  first.destroy()
  const again = (): Promise<TLSSocket> => openTls(https, { ca, servername: domains[0]!, session: ticket })
  const sockets = await Promise.all(Array.from({ length: 12 }, again))
  expect(sockets.map((socket) => socket.isSessionReused())).toEqual(sockets.map(() => true))
  for (const socket of sockets) socket.destroy()
})

test('an imported certificate is shown by all; one that is wrong is refused with the reason', async () => {
  const authority = await newAuthority()
  const files = await writeIssued(folder, 'own', await authority.issue({ dns: ['own.example.net'] }))
  const other = await writeIssued(folder, 'other', await authority.issue({ dns: ['other.example.net'] }))
  const wrong = await gateways[0]!.cli(
    'certificates',
    'import',
    '--cert',
    files.certificate,
    '--key',
    other.key,
  )
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('private key is not that of') })
  const imported = await gateways[0]!.cli(
    'certificates',
    'import',
    '--cert',
    files.certificate,
    '--key',
    files.key,
  )
  expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining('Imported for own.example.net') })
  await eventually(
    'all list it',
    async () =>
      (await Promise.all(gateways.map(list))).every((all) =>
        all.some(({ domain }) => domain === 'own.example.net'),
      ),
    10_000,
  )
  const shown = await gateways[2]!.cli('certificates', 'list')
  expect(shown.stdout).toMatch(/own\.example\.net +imported +\d{4}-\d\d-\d\d \(\d+ days\)/)
  const options = { ca: authority.certificate, servername: 'own.example.net' }
  const sockets = await Promise.all(Array.from({ length: 6 }, () => openTls(https, options)))
  for (const socket of sockets) socket.destroy()
})

test('a revoked certificate is replaced', async () => {
  const before = await list(gateways[2]!)
  const revoked = await gateways[2]!.cli('certificates', 'revoke', domains[3]!, '--reason', 'keyCompromise')
  expect(revoked).toMatchObject({ code: 0, stderr: '' })
  const of = (all: Awaited<ReturnType<typeof list>>) =>
    all.find(({ domain }) => domain === domains[3])!.issued_at!
  await eventually('a new one', async () => of(await list(gateways[0]!)) > of(before), 20_000)
})

test('a request for an authority outside comes with an RSA key that only its owner reads', async () => {
  const names = ['api.example.com', '*.bücher.example']
  const made = await gateways[0]!.cli('certificates', 'csr', ...names, '--folder', folder)
  expect(made).toMatchObject({ code: 0 })
  const key = join(folder, 'gateway.key')
  expect((await stat(key)).mode & 0o777).toBe(0o600)
  expect(createPrivateKey(await readFile(key, 'utf8')).asymmetricKeyDetails?.modulusLength).toBe(4_096)
  const request = new Pkcs10CertificateRequest(await readFile(join(folder, 'gateway.csr'), 'utf8'))
  expect(await request.verify()).toBe(true)
  const alternatives = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension)
  expect(alternatives?.names.toJSON().map(({ value }) => value)).toEqual([
    'api.example.com',
    '*.xn--bcher-kva.example',
  ])
  const again = await gateways[0]!.cli('certificates', 'csr', 'api.example.com', '--folder', folder)
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is there') })
})

test(
  'a node starts with its encrypted copy, and all handshakes succeed, while neither store nor authority answers',
  async () => {
    const ca = await pebble.root()
    await Promise.all(gateways.map((gateway) => gateway.process.stop()))
    await Promise.all([redis.stop(), pebble.stop()])
    const { configDirectory, stateDirectory, ports } = gateways[0]!
    const copy = await readFile(join(stateDirectory, 'certificates-copy', 'certificates.json'), 'utf8')
    expect(copy).not.toMatch(/PRIVATE KEY|BEGIN/)
    const again = await startGatewayProcess({
      command: [process.execPath, join(sources, 'gateway.ts')],
      configDirectory,
      stateDirectory,
      statusPort: ports.status,
    })
    ended.push(() => again.stop())
    const ready = await (await fetch(`${gateways[0]!.statusUrl}/readyz`)).text()
    expect(ready).toBe('ready\n')
    for (const servername of domains) (await openTls(https, { ca, servername })).destroy()
  },
  long,
)
