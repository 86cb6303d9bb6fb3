import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { request } from 'undici'
import { redisSchema } from '../../../../gateway-runtime/src/config/redis-settings.ts'
import { RedisConnection } from '../../../../gateway-runtime/src/control-plane/redis/redis-connection.ts'
import { ClusterRecords } from '../../../../gateway-runtime/src/plugins/proxy-cache/cluster-records.ts'
import { knowEachOther } from '../../../support/cluster-view.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const long = 240_000

let cluster: RedisCluster
let upstream: Upstream
let gateways: TestGateway[] = []
let first: TestGateway
let second: TestGateway

beforeAll(async () => {
  if (!isInstalled) return
  upstream = await startUpstream(({ url }, response) => {
    const tags = { 'cache-tag': url!.startsWith('/tagged') ? 'chosen' : 'other' }
    const vary = url!.startsWith('/secret') ? 'cookie' : 'accept-language'
    response.writeHead(200, { 'cache-control': 'max-age=1000', vary, ...tags })
    response.end(`answer ${upstream.requests.length}`)
  })
  cluster = await startRedisCluster(path)
  const config = (sync: string) => ({
    redis: { cluster: cluster.addresses, timeout: '1s' },
    services: [{ name: 'service', url: upstream.url, retries: 0 }],
    routes: [{ name: 'all', service: 'service', paths: ['/'] }],
    plugins: [{ name: 'proxy-cache', config: { sync } }],
  })
  gateways = await Promise.all([
    startGateway({ config: config('cluster') }),
    startGateway({ config: config('cluster') }),
  ])
  ;[first, second] = gateways as [TestGateway, TestGateway]
  await knowEachOther(gateways)
}, long)
afterEach(() => {
  for (const server of cluster?.servers ?? []) server.resume()
})
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await cluster?.stop()
  await upstream?.stop()
}, long)

const ask = async (gateway: TestGateway, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(gateway.url + path, { headers })
  return { status: response.headers.get('cache-status')!, text: await response.text() }
}
const isHit = async (gateway: TestGateway, path: string, headers?: Record<string, string>) =>
  (await ask(gateway, path, headers)).status.includes('hit')

/** What one has kept is sent to Redis when its client has the answer: a moment later another finds it. */
const untilFound = (path: string, headers?: Record<string, string>) =>
  eventually('the other node finds it', () => isHit(second, path, headers), 30_000)

const allRecords = async (): Promise<string> => {
  const servers = await cluster.primaries()
  const texts = await Promise.all(
    servers.map(async (server) => {
      const keys = ((await server.command('KEYS', '*:records')) as string[]) ?? []
      const records = await Promise.all(keys.map((key) => server.command('HGETALL', key)))
      return JSON.stringify([keys, records])
    }),
  )
  return texts.join()
}

test(
  'what one node has kept, another finds: each representation, for HEAD, conditions and ranges too',
  async () => {
    const { text } = await ask(first, '/a')
    await ask(first, '/a', { 'accept-language': 'de' })
    await eventually('both are in redis', async () => (await allRecords()).split('max-age').length > 4)
    const asked = upstream.requests.length
    expect(await ask(second, '/a')).toMatchObject({ text, status: expect.stringContaining('hit') })
    const german = { 'accept-language': 'de' }
    expect((await fetch(`${second.url}/a`, { method: 'HEAD', headers: german })).status).toBe(200)
    const part = await request(`${second.url}/a`, { headers: { range: 'bytes=0-5', 'accept-language': '*' } })
    expect([part.statusCode, await part.body.text()]).toEqual([206, 'answer'])
    expect(upstream.requests).toHaveLength(asked)
    expect(await isHit(second, '/a', { 'accept-language': 'fr' })).toBe(false)
  },
  long,
)

test(
  'nothing that identifies a client leaves the node',
  async () => {
    const headers = { cookie: 'session=hidden-cookie', 'x-api-key': 'hidden-key', 'accept-language': 'en' }
    await ask(first, '/secret', headers)
    await ask(first, '/plain?token=hidden-query', headers)
    expect(await isHit(first, '/secret', headers)).toBe(true)
    await untilFound('/plain?token=hidden-query', headers)
    expect(await isHit(second, '/secret', headers)).toBe(false)
    expect(await allRecords()).not.toContain('hidden')
  },
  long,
)

for (const [what, path, options] of [
  ['a URL', '/one', ['--url', '/one']],
  ['a prefix', '/some/thing', ['--prefix', '/some/']],
  ['a tag', '/tagged', ['--tag', 'chosen']],
] as const) {
  test(
    `${what} is forgotten by all nodes, and in Redis, when the command has ended`,
    async () => {
      await ask(first, path)
      await ask(first, '/bystander')
      await untilFound(path)
      await untilFound('/bystander')
      const { stdout, code } = await first.cli('--json', 'cache', 'purge', ...options)
      expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, nodes: 2, missing: 0 })
      const asked = upstream.requests.length
      expect(await isHit(second, path)).toBe(false)
      expect(await isHit(second, '/bystander')).toBe(true)
      expect(upstream.requests).toHaveLength(asked + 1)
    },
    long,
  )
}

test(
  'what a method changes that is not safe is forgotten in Redis too',
  async () => {
    const answers = async () => (await allRecords()).split('max-age').length
    const before = await answers()
    await ask(second, '/changed')
    await eventually('it is in redis', async () => (await answers()) > before)
    await (await fetch(`${first.url}/changed`, { method: 'POST', body: 'x' })).text()
    expect(await isHit(first, '/changed')).toBe(false)
  },
  long,
)

test(
  'while Redis is away requests are answered, a purge says that the others are not told, and all comes back',
  async () => {
    await ask(first, '/kept')
    for (const server of cluster.servers) server.pause()
    expect((await ask(first, '/away')).text).toMatch(/^answer/)
    expect(await isHit(first, '/kept')).toBe(true)
    const refused = await first.cli('cache', 'purge', '--url', '/kept')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('this node has forgotten it')
    expect(await isHit(first, '/kept')).toBe(false)
    for (const server of cluster.servers) server.resume()
    await eventually(
      'a purge reaches all nodes again',
      async () => {
        const { stdout, code } = await first.cli('--json', 'cache', 'purge', '--url', '/kept')
        return code === 0 && JSON.parse(stdout).nodes === 2
      },
      120_000,
    )
    await ask(first, '/later')
    await untilFound('/later')
  },
  long,
)

test(
  'records in Redis keep within their bytes: what ends first goes first',
  async () => {
    const settings = redisSchema.parse({ cluster: cluster.addresses, timeout: '2s', prefix: 'records' })
    const connection = new RedisConnection(settings, undefined, { write: () => {} })
    await connection.start()
    try {
      const records = new ClusterRecords(connection, 'test', 64 * 10_000)
      const value = Buffer.alloc(3_000, 255)
      const keys = Array.from({ length: 400 }, (_, index) => `key ${index}`)
      for (const [index, key] of keys.entries()) await records.put(key, value, 1_000_000 + index * 1_000)
      const found = await Promise.all(keys.map((key) => records.get(key)))
      const kept = found.filter((one) => one !== undefined)
      expect(kept.every((one) => one.equals(value))).toBe(true)
      // Three of a group have room: in each of 64 the last ones.
      expect(kept.length).toBeGreaterThan(64)
      expect(kept.length).toBeLessThanOrEqual(64 * 3)
      expect(found.at(-1)).toBeDefined()
      expect(found[0]).toBeUndefined()
      await records.delete(keys.at(-1)!)
      expect(await records.get(keys.at(-1)!)).toBeUndefined()
      const groups = (await Promise.all(
        (await cluster.primaries()).map((server) => server.command('KEYS', 'records:*:records')),
      )) as string[][]
      const sizes = await Promise.all(
        groups.flat().map((key) => connection.command(key, ['HGET', key, 'bytes'])),
      )
      expect(Math.max(...sizes.map(Number))).toBeLessThanOrEqual(10_000)
    } finally {
      await connection.close()
    }
  },
  long,
)
