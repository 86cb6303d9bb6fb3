import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { adminToken } from '../../../support/admin-client.ts'
import { newAuthority } from '../../../support/certificates.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Description, SyncClient } from '../../../support/sync-client.ts'

let gateway: TestGateway
let client: SyncClient

beforeAll(async () => {
  gateway = await startGateway({ config: '# kept\nservices: []\n' })
  client = new SyncClient(gateway.adminUrl, adminToken(gateway))
})

afterAll(() => gateway?.stop())

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** `count` × 10 entities of every kind. */
async function description(count: number): Promise<Description> {
  const authority = await newAuthority()
  const issued = await authority.issue({ dns: ['a.example.com'] })
  return {
    services: numbers(count * 3).map((n) => ({
      name: `service-${n}`,
      host: n % 3 === 0 ? `upstream-${n / 3}` : `10.0.0.${n % 250}`,
      ...(n % 3 === 1 && { port: 8443, protocol: 'https', path: '/base' }),
      retries: 5,
      connect_timeout: 60_000,
      tags: ['team-a'],
    })),
    routes: numbers(count * 3).map((n) => ({
      name: `route-${n}`,
      service: `service-${n}`,
      paths: [`/path-${n}`, `~/regular-${n}/\\d+$`],
      ...(n % 2 === 0 && { methods: ['GET', 'POST'], hosts: [`h${n}.example.com`], strip_path: false }),
      ...(n % 5 === 0 && { regex_priority: n + 1, headers: { 'x-version': ['1', '2'] } }),
    })),
    upstreams: numbers(count).map((n) => ({
      name: `upstream-${n}`,
      ...(n % 2 === 0 && { algorithm: 'consistent-hashing', hash_on: 'ip' }),
      ...(n % 3 === 0 && {
        healthchecks: {
          active: {
            http_path: '/health',
            healthy: { interval: 5, successes: 2 },
            unhealthy: { interval: 5, http_failures: 3, tcp_failures: 3, timeouts: 3 },
          },
          passive: { unhealthy: { http_failures: 4, tcp_failures: 4, timeouts: 4 } },
        },
      }),
    })),
    targets: numbers(count).map((n) => ({
      upstream: `upstream-${n}`,
      target: `10.1.0.${n % 250}:80${n % 10}`,
      ...(n % 2 === 0 && { weight: 10 }),
    })),
    consumers: numbers(count).map((n) => ({
      username: `consumer-${n}`,
      ...(n % 2 === 0 && { custom_id: `custom-${n}` }),
    })),
    'key-auths': numbers(count).map((n) => ({ consumer: `consumer-${n}`, key: `secret-key-${n}` })),
    acls: [{ consumer: 'consumer-0', group: 'gold' }],
    certificates: [{ as: 'first', cert: issued.certificate, key: issued.key }],
    snis: [
      { name: 'a.example.com', certificate: 'first' },
      { name: '*.b.example.com', certificate: 'first' },
    ],
    plugins: [
      { name: 'rate-limiting', config: { limit: 1_000, period: 'second' } },
      { name: 'key-auth', route: 'route-1', config: { key_names: ['apikey', 'x-key'] } },
      { name: 'rate-limiting', service: 'service-2', config: { limit: 5, period: 'hour' }, enabled: false },
      { name: 'rate-limiting', consumer: 'consumer-0', config: { limit: 7, period: 'day' } },
    ],
  }
}

test('a declarative client makes 500 entities, and finds nothing to do then', async () => {
  const wanted = await description(50)
  const done = await client.sync(wanted)
  expect(done.length).toBeGreaterThan(500)
  expect(done.every((operation) => operation.do === 'create')).toBe(true)
  expect(await client.diff(wanted)).toEqual([])
  expect((await client.sync(wanted)).length).toBe(0)

  // The same by small pages: each once.
  const [large, small] = [await client.dump(1_000), await client.dump(7)]
  expect(small).toEqual(large)
  expect(large.routes).toHaveLength(150)

  // It is in force, and in the files.
  expect((await fetch(`${gateway.url}/path-3`, { headers: { host: 'none' } })).status).not.toBe(200)
  const text = await readFile(join(gateway.configDirectory, 'config.yaml'), 'utf8')
  expect(text).toMatch(/^# kept\n/)
  expect(text).not.toMatch(/PRIVATE KEY/)
  const [keyFile] = await readdir(join(gateway.configDirectory, 'private-keys'))
  const { mode } = await stat(join(gateway.configDirectory, 'private-keys', keyFile!))
  expect(mode & 0o777).toBe(0o600)

  // Changes and deletions, and back.
  const changed = {
    ...wanted,
    services: wanted.services!.map((service, n) =>
      n === 4 ? { ...service, retries: 1, port: 9443 } : service,
    ),
    routes: wanted.routes!.filter((_, n) => n !== 7),
    targets: wanted.targets!.slice(1),
    snis: wanted.snis!.slice(1),
    'key-auths': wanted['key-auths']!.slice(1),
    acls: [],
    plugins: wanted.plugins!.slice(1),
  }
  const operations = await client.sync(changed)
  expect(operations.map(({ kind, do: what }) => `${what} ${kind}`).toSorted()).toEqual([
    ...['delete acls', 'delete key-auths', 'delete plugins', 'delete routes', 'delete snis'],
    ...['delete targets', 'update services'],
  ])
  expect(await client.diff(changed)).toEqual([])
}, 300_000)

test('with a tag, it looks after its own entities only', async () => {
  await client.call('/services', { method: 'POST', body: { name: 'foreign', url: 'http://foreign' } })
  const own = new SyncClient(gateway.adminUrl, adminToken(gateway), 'ours')
  const wanted: Description = {
    services: [{ name: 'tagged', host: 'example.com' }],
    upstreams: [{ name: 'tagged' }],
    targets: [{ upstream: 'tagged', target: '10.0.0.1:80' }],
    consumers: [{ username: 'tagged' }],
    'key-auths': [{ consumer: 'tagged', key: 'a-long-key' }],
  }
  const foreign = (await client.dump()).services.map(({ name }) => name)
  await own.sync(wanted)
  expect(await own.diff(wanted)).toEqual([])
  // All of it away, in the order of references.
  await own.sync({})
  expect(Object.values(await own.dump()).flat()).toEqual([])
  expect((await client.dump()).services.map(({ name }) => name)).toEqual(foreign)
})
