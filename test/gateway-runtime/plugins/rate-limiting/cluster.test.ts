import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import { knowEachOther } from '../../../support/cluster-view.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type RedisCluster, type RedisServer, startRedisCluster } from '../../../support/redis-cluster.ts'
import { type RedisProxies, startRedisProxies } from '../../../support/redis-proxies.ts'
import { programForTests } from '../../../support/test-program.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const wrk = await programForTests('wrk')

const nodes = 3
const limit = 30
const overload = { limit: 200, period: { seconds: 2 } }
const long = 160_000

let cluster: RedisCluster
/** The way of the first gateway to Redis. */
let proxies: RedisProxies
let gateways: TestGateway[]

beforeAll(async () => {
  if (!isInstalled) return
  cluster = await startRedisCluster(path)
  proxies = await startRedisProxies(cluster.servers.map(({ port }) => port))
  const limited = (route: string, config: object) => ({
    name: 'rate-limiting',
    route,
    config: { limit, period: 'day', by: 'header', header: 'x-client', sync: 'cluster', ...config },
  })
  gateways = []
  // One after another: each is given what the machine has.
  for (let node = 0; node < nodes; node++) {
    const gateway = await startGateway({
      config: {
        redis: { cluster: node === 0 ? proxies.addresses : cluster.addresses, timeout: '1s' },
        services: [{ name: 'none', url: 'http://127.0.0.1:1' }],
        routes: ['share', 'open', 'closed', 'overload'].map((name) => ({
          name,
          service: 'none',
          paths: [`/${name}`],
        })),
        plugins: [
          limited('share', {}),
          limited('open', { on_failure: 'open' }),
          limited('closed', { on_failure: 'closed' }),
          limited('overload', overload),
          { name: 'request-termination', config: { status_code: 200, body: 'ok' } },
        ],
      },
    })
    gateways.push(gateway)
  }
  await knowEachOther(gateways)
}, long)

afterAll(async () => {
  await Promise.all((gateways ?? []).map((gateway) => gateway.stop()))
  await proxies?.stop()
  await cluster?.stop()
}, long)

/** Asks a gateway so many times, one after another; how many passed. Nothing but 200 and 429 is an answer. */
async function passesOf(gateway: TestGateway, route: string, client: string, times: number): Promise<number> {
  let passed = 0
  for (let request = 0; request < times; request++) {
    const answer = await fetch(`${gateway.url}/${route}`, { headers: { 'x-client': client } })
    await answer.text()
    expect([200, 429]).toContain(answer.status)
    if (answer.status === 200) passed++
  }
  return passed
}

/** The same of all gateways at once. */
const passes = (route: string, client: string, times: number) =>
  Promise.all(gateways.map((gateway) => passesOf(gateway, route, client, times)))

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)

const metricsOf = async ({ statusUrl }: TestGateway) => (await fetch(`${statusUrl}/metrics`)).text()

const isConnected = async (gateway: TestGateway) =>
  (await metricsOf(gateway)).includes('gatehouse_redis_state{state="connected"} 1')

const allConnected = () =>
  eventually(
    'all gateways are connected to Redis',
    async () => (await Promise.all(gateways.map(isConnected))).every(Boolean),
    60_000,
  )

const become = (gateway: TestGateway, event: string) =>
  eventually(event, async () => (await gateway.errorLog()).includes(event), 60_000)

/** The primary that has the leases of a route, once somebody has asked for one. */
async function primaryFor(route: string): Promise<RedisServer> {
  for (const server of await cluster.primaries()) {
    const keys = (await server.command('KEYS', `*${route}*`)) as string[]
    if (keys.length > 0) return server
  }
  throw new Error(`no primary has leases of ${route}`)
}

test('the limit is exact over all nodes, however the requests are spread', async () => {
  expect(sum(await passes('share', 'even', 25))).toBe(limit)
})

test('an answer says what is left over all nodes and when the window ends', async () => {
  const answer = await fetch(`${gateways[0]!.url}/share`, { headers: { 'x-client': 'fields' } })
  expect(answer.headers.get('ratelimit-policy')).toBe(`"default";q=${limit};w=86400`)
  expect(answer.headers.get('ratelimit')).toMatch(new RegExp(`^"default";r=${limit - 1};t=\\d+$`))
})

test('what one node leaves unused another may use', async () => {
  let used = 0
  const [first, second] = gateways as [TestGateway, TestGateway]
  await Promise.all(Array.from({ length: 10 }, () => passesOf(first, 'share', 'left', 1)))
  const rest = await eventually(
    'the rest passes on the other node',
    async () => {
      used += await passesOf(second, 'share', 'left', 5)
      return used >= limit - 10 && used
    },
    60_000,
  )
  expect(rest).toBe(limit - 10)
})
const loaded = isInstalled ? wrk.test : test
loaded(
  'under ten times the limit, unevenly spread, each window lets the limit pass, never more, and Redis is asked rarely',
  async () => {
    const load = (gateway: TestGateway, connections: number) =>
      wrk.run(['-t1', `-c${connections}`, '-d9s', '-H', 'x-client: load', `${gateway.url}/overload`])
    const before = await cluster.calls()
    await Promise.all(gateways.map((gateway, index) => load(gateway, [8, 2, 1][index]!)))
    const after = await cluster.calls()
    const logs = await Promise.all(gateways.map((gateway) => gateway.accessLog()))
    const lines = logs.flat().filter(({ path }) => path === '/overload')
    const windows = new Map<number, number>()
    for (const { time, status } of lines) {
      if (status !== 200) continue
      const window = Math.floor(Date.parse(String(time)) / 2_000)
      windows.set(window, (windows.get(window) ?? 0) + 1)
    }
    const counts = [...windows].sort(([a], [b]) => a - b).map(([, count]) => count)
    expect(Math.max(...counts)).toBeLessThanOrEqual(overload.limit)
    expect(Math.min(...counts.slice(1, -1))).toBeGreaterThanOrEqual(overload.limit * 0.97)
    const calls = [...after].map(([name, count]) =>
      /^(ping|info)/.test(name) ? 0 : count - (before.get(name) ?? 0),
    )
    expect(lines.length).toBeGreaterThan(overload.limit * 10)
    expect(lines.length / sum(calls)).toBeGreaterThan(20)
  },
  long,
)

describe('when Redis fails', () => {
  test(
    'a killed primary: requests go on, never more than the limit pass, and its replica is used by itself',
    async () => {
      const client = 'failover'
      let passed = sum(await passes('share', client, 3))
      const killed = await primaryFor('share')
      await killed.kill()
      for (let round = 0; round < 10; round++) passed += sum(await passes('share', client, 1))
      await eventually(
        'its replica has taken over',
        async () => {
          const now = await cluster.primaries().catch((): RedisServer[] => [])
          return now.length === 3 && !now.includes(killed)
        },
        60_000,
      )
      await allConnected()
      await eventually(
        'the limit is used up',
        async () => {
          const more = sum(await passes('share', client, 3))
          passed += more
          return passed >= limit && more === 0
        },
        60_000,
      )
      expect(passed).toBe(limit)
      await killed.restart()
      await allConnected()
    },
    long,
  )

  test(
    'one node is cut off: it lets its share pass, says so, and counts with the others again by itself',
    async () => {
      const [cutOff, ...others] = gateways as [TestGateway, ...TestGateway[]]
      proxies.cut('hang')
      await become(cutOff, 'redis down')
      expect(await passesOf(cutOff, 'share', 'cut', 15)).toBe(limit / nodes)
      await become(cutOff, 'rate limits are decided without redis')
      expect(await metricsOf(cutOff)).toMatch(/event="without_redis"\} [1-9]/)
      await Promise.all(
        others.map((gateway) =>
          eventually(
            'the others miss it',
            async () => (await metricsOf(gateway)).includes('gatehouse_cluster_nodes 2'),
            60_000,
          ),
        ),
      )
      // They leave its share free: what all have is not more than the limit.
      const beside = await Promise.all(others.map((gateway) => passesOf(gateway, 'share', 'cut', 25)))
      expect(sum(beside)).toBeLessThanOrEqual(limit - limit / nodes)
      proxies.mend()
      await eventually('the node is connected', () => isConnected(cutOff), 60_000)
      await eventually(
        'its leases come from Redis',
        async () => {
          await passesOf(cutOff, 'share', 'cut', 1)
          return (await cutOff.errorLog()).includes('rate limits are counted in redis again')
        },
        60_000,
      )
      expect(sum(await passes('share', 'afterwards', 25))).toBeLessThanOrEqual(limit)
    },
    long,
  )

  test(
    'all of it stands still: shares, all or nothing pass, as configured; then it is used again',
    async () => {
      await allConnected()
      for (const server of cluster.servers) server.pause()
      try {
        await Promise.all(
          gateways.map((gateway) =>
            eventually(
              'the gateway sees that Redis is down',
              async () => (await metricsOf(gateway)).includes('gatehouse_redis_state{state="down"} 1'),
              60_000,
            ),
          ),
        )
        expect(await passes('share', 'down', 15)).toEqual([10, 10, 10])
        expect(await passes('open', 'down', 40)).toEqual([40, 40, 40])
        expect(await passes('closed', 'down', 5)).toEqual([0, 0, 0])
      } finally {
        for (const server of cluster.servers) server.resume()
      }
      await allConnected()
      expect(sum(await passes('share', 'down', 5))).toBe(0)
      await eventually(
        'a new client gets all of the limit again',
        async () => {
          const client = `again ${performance.now()}`
          return sum(await passes('share', client, 25)) === limit
        },
        60_000,
      )
    },
    long,
  )

  test(
    'it is slow: requests do not wait for it longer than its timeout, and later not at all',
    async () => {
      const [slow] = gateways as [TestGateway, ...TestGateway[]]
      proxies.delay(1_500)
      await eventually('the gateway finds Redis too slow', async () => !(await isConnected(slow)), 60_000)
      await passesOf(slow, 'share', 'slow', 1)
      expect(await passesOf(slow, 'share', 'slow', 15)).toBe(limit / nodes - 1)
      proxies.delay(0)
      await eventually('the node is connected', () => isConnected(slow), 60_000)
    },
    long,
  )
})
