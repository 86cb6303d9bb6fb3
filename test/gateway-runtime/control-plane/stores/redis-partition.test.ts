import { afterEach, expect } from '@jest/globals'
import { startObjectStore } from '../../../../scripts/process/object-store.ts'
import { type AdminCall, adminToken, callAdmin } from '../../../support/admin-client.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startRedisCluster } from '../../../support/redis-cluster.ts'
import { startRedisProxies } from '../../../support/redis-proxies.ts'
import { programForTests } from '../../../support/test-program.ts'

const { test, path: program } = await programForTests('redis-server')
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const call = (gateway: TestGateway, path: string, options: AdminCall = {}) =>
  callAdmin(`${gateway.adminUrl}${path}`, { token: adminToken(gateway), ...options })
const redirect = { host: 'example.com' }
const put = (gateway: TestGateway, name: string) =>
  call(gateway, `/routes/${name}`, { method: 'PUT', body: { paths: [`/${name}`], redirect } })
const serves = (gateway: TestGateway, name: string) => async () =>
  (await fetch(`${gateway.url}/${name}`, { redirect: 'manual' })).status === 308
const redisIs = (gateway: TestGateway, state: string) => async () =>
  (await call(gateway, '/status')).body.redis.state === state

test('a node that is cut off from Redis serves on, is ready, says so, and hears of changes from the store itself', async () => {
  const store = await startObjectStore()
  ended.push(() => store.stop())
  const cluster = await startRedisCluster(program)
  ended.push(() => cluster.stop())
  const ways = await startRedisProxies(cluster.servers.map(({ port }) => port))
  ended.push(() => ways.stop())
  const start = async (addresses: readonly string[]) => {
    const gateway = await startGateway({
      config: {
        store: 's3://configuration/all.yaml',
        s3: {
          endpoint: store.url,
          access_key_id: 'key-id',
          secret_access_key: 'never-shown',
          poll_interval: 500,
        },
        redis: { cluster: addresses },
      },
    })
    ended.push(gateway.stop)
    await eventually('its Redis', redisIs(gateway, 'connected'), 20_000)
    return gateway
  }
  const whole = await start(cluster.addresses)
  const cutOff = await start(ways.addresses)
  expect((await put(whole, 'before')).status).toBe(201)
  await eventually('the change on the other node', serves(cutOff, 'before'))

  for (const how of ['refuse', 'hang'] as const) {
    ways.cut(how)
    await eventually('the loss', redisIs(cutOff, 'down'), 20_000)
    expect(await serves(cutOff, 'before')()).toBe(true)
    expect((await fetch(`${cutOff.statusUrl}/readyz`)).status).toBe(200)
    // Both ways: what is changed elsewhere, and what is changed here.
    expect((await put(whole, `elsewhere-${how}`)).status).toBe(201)
    await eventually('a change elsewhere', serves(cutOff, `elsewhere-${how}`), 10_000)
    expect((await put(cutOff, `here-${how}`)).status).toBe(201)
    await eventually('a change here', serves(whole, `here-${how}`), 10_000)
    ways.mend()
    await eventually('Redis again', redisIs(cutOff, 'connected'), 20_000)
  }
  const names = async (gateway: TestGateway) =>
    (await call(gateway, '/routes')).body.data.map(({ name }: { name: string }) => name).sort()
  const all = ['before', 'elsewhere-hang', 'elsewhere-refuse', 'here-hang', 'here-refuse']
  expect([await names(whole), await names(cutOff)]).toEqual([all, all])
  await eventually('a line of it', async () => (await cutOff.errorLog()).includes('error redis down'))
}, 120_000)
