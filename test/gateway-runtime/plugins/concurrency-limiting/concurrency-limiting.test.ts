import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test as plainTest } from '@jest/globals'
import { everyoneSees, knowEachOther } from '../../../support/cluster-view.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const limit = 4
const long = 240_000

let upstream: Upstream
/** Answers that the upstream holds back. */
let held: ServerResponse[] = []

beforeAll(async () => {
  upstream = await startUpstream((_, response) => {
    held.push(response)
  })
})
afterAll(() => upstream.stop())

const release = () => {
  for (const response of held.splice(0)) response.end('done')
}

const configuration = (config: object, more: object = {}) => ({
  ...more,
  services: [{ name: 'slow', url: upstream.url, retries: 0 }],
  routes: [{ name: 'slow', service: 'slow', paths: ['/'] }],
  plugins: [{ name: 'concurrency-limiting', config: { limit, ...config } }],
})

/** Asks so many times at once; resolves with how many are in flight when all are decided. */
async function inFlightOf(gateway: TestGateway, times: number, client = 'any'): Promise<number> {
  const before = held.length
  let refused = 0
  for (let request = 0; request < times; request++) {
    void fetch(gateway.url, { headers: { connection: 'close', 'x-client': client } }).then(
      async (answer) => {
        if (answer.status === 429) refused++
        await answer.text().catch(() => {})
      },
      () => {},
    )
  }
  await eventually('all requests are decided', () => held.length - before + refused === times, 30_000)
  return held.length - before
}

/** Until so many are in flight: there is room for them as soon as it is known that others have ended. */
async function roomFor(gateway: TestGateway, count: number, client?: string): Promise<void> {
  let running = 0
  await eventually(
    'there is room',
    async () => {
      running += await inFlightOf(gateway, 1, client)
      return running === count
    },
    30_000,
  )
}

describe('on one node', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway({ config: configuration({}, { workers: 3 }) })
  }, long)
  afterEach(release)
  afterAll(() => gateway.stop())

  plainTest(
    'just the limit is in flight, over all workers, and there is room again when they end',
    async () => {
      expect(await inFlightOf(gateway, 12)).toBe(limit)
      const answer = await fetch(gateway.url)
      expect(answer.status).toBe(429)
      expect(await answer.json()).toMatchObject({ code: 'too-many-concurrent-requests' })
      release()
      await roomFor(gateway, limit)
    },
  )

  plainTest('a client that breaks its connection makes room', async () => {
    const answered = async () => (await gateway.accessLog()).filter(({ status }) => status === 200).length
    const before = await answered()
    await roomFor(gateway, limit)
    release()
    await eventually('those have ended', async () => (await answered()) >= before + limit)
    const sockets = Array.from({ length: limit }, () => connect(gateway.ports.http, '127.0.0.1'))
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await eventually('all are in flight', () => held.length === limit)
    for (const socket of sockets) socket.resetAndDestroy()
    held = []
    await roomFor(gateway, limit)
  })
})

describe('over a cluster', () => {
  let cluster: RedisCluster
  let gateways: TestGateway[] = []
  beforeAll(async () => {
    if (!isInstalled) return
    cluster = await startRedisCluster(path)
    const config = configuration(
      { sync: 'cluster', by: 'header', header: 'x-client' },
      { redis: { cluster: cluster.addresses, timeout: '1s' } },
    )
    gateways = [await startGateway({ config }), await startGateway({ config })]
    await knowEachOther(gateways)
  }, long)
  afterEach(release)
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await cluster?.stop()
  }, long)

  test('just the limit is in flight over all nodes, and what ends on one makes room on the other', async () => {
    const [first, second] = gateways as [TestGateway, TestGateway]
    expect(await inFlightOf(first, limit - 1, 'shared')).toBe(limit - 1)
    // The first may have leased one more than it uses, which it gives back.
    await eventually(
      'the other node gets the rest',
      async () => (await inFlightOf(second, 1, 'shared')) === 1,
      30_000,
    )
    expect(await inFlightOf(second, 3, 'shared')).toBe(0)
    expect(await inFlightOf(first, 3, 'shared')).toBe(0)
    release()
    await roomFor(second, limit, 'shared')
    expect(await inFlightOf(second, 2, 'shared')).toBe(0)
  })

  test(
    'while Redis is away each node has its share in flight',
    async () => {
      for (const server of cluster.servers) server.pause()
      try {
        for (const gateway of gateways) expect(await inFlightOf(gateway, 4, 'away')).toBe(limit / 2)
      } finally {
        for (const server of cluster.servers) server.resume()
      }
      await everyoneSees(gateways, 'redis is back', /redis_state\{state="connected"\} 1/)
    },
    long,
  )

  test(
    'what a node had in flight that died is free again after a while',
    async () => {
      const [first, second] = gateways as [TestGateway, TestGateway]
      expect(await inFlightOf(first, limit, 'dying')).toBe(limit)
      expect(await inFlightOf(second, 1, 'dying')).toBe(0)
      await first.process.stop({ signal: 'SIGKILL' })
      await eventually(
        'the slots of the dead node are free',
        async () => (await inFlightOf(second, 1, 'dying')) === 1,
        60_000,
      )
    },
    long,
  )
})
