import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { startGatewayProcess } from '../../../../scripts/process/gateway.ts'
import { type ObjectStore, startObjectStore } from '../../../../scripts/process/object-store.ts'
import { type AdminCall, adminToken, callAdmin } from '../../../support/admin-client.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'

const redis = await programForTests('redis-server')
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const settings = (store: ObjectStore, more: object = {}) => ({
  store: 's3://configuration/gateways/all.yaml',
  s3: {
    endpoint: store.url,
    access_key_id: 'key-id',
    secret_access_key: 'never-shown',
    poll_interval: 100,
    timeout: 1_000,
    ...more,
  },
})
const path = '/configuration/gateways/all.yaml'

async function startNodes(store: ObjectStore, count: number, more: object = {}, config: object = {}) {
  const gateways: TestGateway[] = []
  for (let node = 0; node < count; node++) {
    const gateway = await startGateway({ config: { ...settings(store, more), ...config } })
    gateways.push(gateway)
    ended.push(gateway.stop)
  }
  return gateways as [TestGateway, ...TestGateway[]]
}

const call = (gateway: TestGateway, path: string, options: AdminCall = {}) =>
  callAdmin(`${gateway.adminUrl}${path}`, { token: adminToken(gateway), ...options })
const put = (gateway: TestGateway, path: string, body: object) => call(gateway, path, { method: 'PUT', body })
const has = (gateway: TestGateway, path: string) => async () => (await call(gateway, path)).status === 200
const service = { url: 'http://127.0.0.1:9' }

test('what is changed on one node, or in the object itself, is in force on all', async () => {
  const store = await startObjectStore()
  ended.push(() => store.stop())
  const [one, two] = await startNodes(store, 2)
  expect((await put(one, '/services/a', service)).status).toBe(201)
  await eventually('the service on the other node', has(two!, '/services/a'))
  expect(store.objects.get(path)).toContain('name: a')
  expect(await readFile(join(one.configDirectory, 'config.yaml'), 'utf8')).not.toContain('services')
  expect((await stat(join(one.stateDirectory, 's3-copy.json'))).mode & 0o777).toBe(0o600)

  // Both at once: the one that comes second reads what the first has written, and makes its change of that.
  const answers = await Promise.all([put(one, '/services/b', service), put(two!, '/services/c', service)])
  expect(answers.map(({ status }) => status)).toEqual([201, 201])
  await eventually(
    'both',
    async () => (await has(one, '/services/c')()) && (await has(two!, '/services/b')()),
  )

  // Shipped by somebody else; a wrong one is refused, and said so.
  store.objects.set(path, 'services: [{name: shipped, url: "http://127.0.0.1:9"}]\n')
  await eventually('what was shipped', has(one, '/services/shipped'))
  store.objects.set(path, 'services: [{name: wrong}]\n')
  await eventually('the problem', async () => (await call(one, '/status')).body.configuration.error !== null)
  expect(await has(one, '/services/shipped')()).toBe(true)

  // Asked for by its ETag.
  await eventually('an answer without a body', () => store.requests.includes('GET 304'))
  const shown = JSON.stringify((await call(one, '/config')).body)
  expect(await one.errorLog()).not.toContain('never-shown')
  expect(shown).toContain('shipped')
}, 60_000)

test('away, the store is not needed to go on or to start, and refuses changes clearly', async () => {
  const store = await startObjectStore()
  const [gateway] = await startNodes(store, 1)
  await put(gateway, '/services/a', service)
  await put(gateway, '/routes/r', { service: 'a', paths: ['/r'] })
  await store.stop()
  const refused = await put(gateway, '/services/b', service)
  expect({ status: refused.status, code: refused.body.code }).toEqual({
    status: 503,
    code: 'store-unreachable',
  })
  expect((await fetch(`${gateway.url}/r`)).status).toBe(502)
  expect((await call(gateway, '/status')).body.configuration).toMatchObject({
    store: 's3',
    store_reachable: false,
  })

  await gateway.process.stop()
  const again = await startGatewayProcess({
    command: gatewayCommand,
    configDirectory: gateway.configDirectory,
    stateDirectory: gateway.stateDirectory,
    statusPort: gateway.ports.status,
  })
  ended.push(() => again.stop())
  expect((await fetch(`${gateway.url}/r`)).status).toBe(502)
  const back = await startObjectStore(store.port, store.objects)
  ended.push(() => back.stop())
  await eventually('a change', async () => (await put(gateway, '/services/b', service)).status === 201)
}, 60_000)

const gatewayCommand = [
  process.execPath,
  join(import.meta.dirname, '../../../../gateway-runtime/src/gateway.ts'),
] as const

redis.test(
  'through Redis, a change is announced to all nodes at once',
  async () => {
    const store = await startObjectStore()
    ended.push(() => store.stop())
    const cluster = await startRedisCluster(redis.path)
    ended.push(() => cluster.stop())
    // Asked once an hour, the store itself tells nobody.
    const nodes = await startNodes(
      store,
      3,
      { poll_interval: '1h' },
      { redis: { cluster: cluster.addresses } },
    )
    await eventually(
      'the cluster',
      async () => {
        const states = await Promise.all(nodes.map((node) => call(node, '/status')))
        return states.every(({ body }) => body.redis.state === 'connected')
      },
      20_000,
    )
    const [one, ...others] = nodes
    await eventually('the first announcement', async () => {
      await put(one, '/services/a', service)
      return has(others[0]!, '/services/a')()
    })
    expect((await put(one, '/services/b', service)).status).toBe(201)
    await Promise.all(others.map((node) => eventually('the service', has(node, '/services/b'))))
  },
  90_000,
)

test('a node whose files are gone or wrong starts with what was in force last, and says so', async () => {
  const gateway = await startGateway({
    config: { routes: [{ name: 'away', paths: ['/'], redirect: { host: 'example.com' } }] },
  })
  await eventually('its start', async () => (await gateway.errorLog()).includes('gateway started'))
  const ask = async () => (await fetch(gateway.url, { redirect: 'manual' })).status
  for (const harm of [
    () => writeFile(join(gateway.configDirectory, 'config.yaml'), 'routes: [{'),
    () => rm(join(gateway.configDirectory, 'config.yaml')),
  ]) {
    await harm()
    await gateway.process.stop()
    const again = await startGatewayProcess({
      command: gatewayCommand,
      configDirectory: gateway.configDirectory,
      stateDirectory: gateway.stateDirectory,
      statusPort: gateway.ports.status,
    })
    expect(await ask()).toBe(308)
    await eventually('its admin API', () => has(gateway, '/routes/away')().catch(() => false))
    expect((await call(gateway, '/status')).body.configuration.error).not.toBeNull()
    await again.stop()
  }
  await gateway.stop()
}, 60_000)
