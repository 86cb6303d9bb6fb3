import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { startGatewayProcess } from '../../../../scripts/process/gateway.ts'
import { newAuthority, writeIssued } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Kms, startKms } from '../../../support/kms.ts'
import { freePort } from '../../../support/ports.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { openTls } from '../../../support/tls-client.ts'

const { isInstalled, path, test } = await programForTests('redis-server')
const long = 60_000
const sources = join(import.meta.dirname, '../../../../gateway-runtime/src')

let authority: Awaited<ReturnType<typeof newAuthority>>
let folder: string
let kms: Kms
let key: string
let redis: RedisCluster
const nodes: { readonly gateway: TestGateway; readonly https: number }[] = []
const ended: (() => unknown)[] = []

beforeAll(async () => {
  if (!isInstalled) return
  authority = await newAuthority()
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  ended.push(() => rm(folder, { recursive: true }))
  kms = await startKms()
  ended.push(() => kms.stop())
  key = kms.createKey()
  redis = await startRedisCluster(path)
  ended.push(() => redis.stop())
  for (let index = 0; index < 2; index++) {
    const https = await freePort()
    const gateway = await startGateway({ config: configuration(https), env: credentials })
    ended.push(() => gateway.stop())
    nodes.push({ gateway, https })
  }
}, long)
afterAll(async () => {
  for (const end of ended.reverse()) await end()
}, long)

const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

const configuration = (https: number) => ({
  listeners: [{ host: '127.0.0.1', port: https, protocol: 'https', unknown_sni: 'refuse' }],
  redis: { cluster: redis.addresses, timeout: 2_000 },
  certificate_store: { kind: 'redis', kms: { key, endpoint: kms.url } },
  services: [{ name: 'echo', url: 'http://127.0.0.1:9' }],
  routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
  acme: {
    authorities: [{ directory: 'https://127.0.0.1:9/directory' }],
    terms_of_service_agreed: true,
    domains: [] as string[],
  },
})

async function importInto({ gateway }: (typeof nodes)[number], domain: string): Promise<void> {
  const files = await writeIssued(folder, domain, await authority.issue({ dns: [domain] }))
  const options = ['--cert', files.certificate, '--key', files.key]
  expect(await gateway.cli('certificates', 'import', ...options)).toMatchObject({ code: 0, stderr: '' })
}

const shows = ({ https }: { readonly https: number }, servername: string): Promise<boolean> =>
  openTls(https, { ca: authority.certificate, servername }).then(
    (socket) => Boolean(socket.destroy()),
    () => false,
  )

const allShow = (domain: string) =>
  eventually(
    `all show ${domain}`,
    async () => (await Promise.all(nodes.map((node) => shows(node, domain)))).every(Boolean),
    20_000,
  )

test(
  'a certificate is encrypted by KMS in the store and in the copies, and shown by all nodes; KMS rotates its key',
  async () => {
    await importInto(nodes[0]!, 'a.example.com')
    await allShow('a.example.com')
    kms.rotate(key)
    await importInto(nodes[1]!, 'b.example.com')
    await allShow('b.example.com')
    expect(kms.calls.filter((action) => action === 'GenerateDataKey').length).toBeLessThanOrEqual(2)
    expect(kms.calls.filter((action) => action === 'Decrypt').length).toBeLessThanOrEqual(4)
    for (const { gateway } of nodes) {
      const copy = await readFile(join(gateway.stateDirectory, 'certificates-copy/certificates.json'), 'utf8')
      expect(Object.keys(JSON.parse(copy)).sort()).toEqual([
        'imported-a.example.com',
        'imported-b.example.com',
      ])
      expect(
        Buffer.from(Object.values(JSON.parse(copy)).join(''), 'base64').toString('latin1'),
      ).not.toContain('PRIVATE')
    }
  },
  long,
)

test(
  'while KMS does not answer, nodes go on; one that starts says what is missing, and shows its copy when KMS is back',
  async () => {
    kms.mode = 'silent'
    await importInto(nodes[0]!, 'c.example.com') // the data key of a node that runs is at hand
    await eventually('shown by who wrote it', () => shows(nodes[0]!, 'c.example.com'))
    expect(await shows(nodes[1]!, 'a.example.com')).toBe(true)

    const { gateway, https } = nodes[0]!
    await gateway.process.stop()
    await redis.stop()
    const config = configuration(https)
    config.acme.domains.push('a.example.com')
    const { logs, admin, status } = parse(
      await readFile(join(gateway.configDirectory, 'config.yaml'), 'utf8'),
    )
    await writeFile(
      join(gateway.configDirectory, 'config.yaml'),
      stringify({ ...config, logs, admin, status }),
    )
    const starting = startGatewayProcess({
      command: [process.execPath, join(sources, 'gateway.ts')],
      configDirectory: gateway.configDirectory,
      stateDirectory: gateway.stateDirectory,
      statusPort: gateway.ports.status,
      env: credentials,
    })
    ended.push(async () => (await starting).stop())
    const missing = () =>
      fetch(`${gateway.statusUrl}/readyz`).then(
        (answer) => answer.text(),
        () => '',
      )
    await eventually(
      'it says what is missing',
      async () => (await missing()).includes('a.example.com'),
      30_000,
    )
    expect(await shows({ https }, 'a.example.com')).toBe(false)
    kms.mode = 'answers'
    await starting
    for (const domain of ['a.example.com', 'b.example.com', 'c.example.com'])
      await eventually(`shown: ${domain}`, () => shows({ https }, domain), 20_000)
  },
  long,
)
