import { afterAll, afterEach, beforeAll, beforeEach, expect, test as plainTest } from '@jest/globals'
import { redisSchema } from '../../../../gateway-runtime/src/config/redis-settings.ts'
import { LiveNodes } from '../../../../gateway-runtime/src/control-plane/redis/live-nodes.ts'
import { redisScript } from '../../../../gateway-runtime/src/control-plane/redis/redis.ts'
import { RedisConnection } from '../../../../gateway-runtime/src/control-plane/redis/redis-connection.ts'
import { eventually } from '../../../support/eventually.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { type RedisProxies, startRedisProxies } from '../../../support/redis-proxies.ts'
import { programForTests } from '../../../support/test-program.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const limit = 60_000
const long = 180_000

let cluster: RedisCluster
let proxies: RedisProxies
let connection: RedisConnection
let events: string[]

beforeAll(async () => {
  if (!isInstalled) return
  cluster = await startRedisCluster(path)
  proxies = await startRedisProxies(cluster.servers.map(({ port }) => port))
})

afterAll(async () => {
  await proxies?.stop()
  await cluster?.stop()
})

beforeEach(async () => {
  events = []
  if (!isInstalled) return
  connection = connect(proxies.addresses)
  await connection.start()
})

afterEach(() => connection?.close())

const connect = (addresses: readonly string[], more: object = {}) =>
  new RedisConnection(redisSchema.parse({ cluster: addresses, timeout: '1s', ...more }), undefined, {
    write: (level, event, fields) => events.push(`${level} ${event} ${JSON.stringify(fields)}`),
  })

const count = redisScript("return redis.call('INCR', KEYS[1])")
const becomes = (state: string) => eventually(`redis is ${state}`, () => connection.state === state, limit)

/** Keys of all three primaries can be written, and the replicas have it. */
const works = () =>
  eventually(
    'scripts run on all primaries and are replicated',
    async () => {
      const keys = ['{a}', '{b}', '{c}'] as const
      const replies = await Promise.all(
        keys.map((key) => connection.script(count, [key], [], { replicated: true }).catch(() => undefined)),
      )
      return replies.every((reply) => reply?.replicated)
    },
    limit,
  )

test('commands and scripts go to the primary of their key, and scripts are sent once', async () => {
  expect(connection.state).toBe('connected')
  await connection.command('greeting', ['SET', 'greeting', 'hello'])
  expect(await connection.command('greeting', ['GET', 'greeting'])).toBe('hello')
  const key = 'counted' as const
  for (const expected of [1, 2, 3])
    expect(await connection.script(count, [key], [], { replicated: true })).toEqual({
      reply: expected,
      replicated: true,
    })
})

test('an error of Redis is told without the command', async () => {
  await connection.command('text', ['SET', 'text', 'secret'])
  await expect(connection.command('text', ['INCR', 'text'])).rejects.toThrow('Redis answered ERR')
})

test(
  'a killed primary: the others answer on, and its replica takes over by itself',
  async () => {
    const [killed] = await cluster.primaries()
    await killed!.kill()
    await becomes('failing-over')
    await becomes('connected')
    await works()
    expect(events.map((event) => event.split(' {')[0])).toEqual([
      'info redis connected',
      'error redis failing over',
      'info redis connected',
    ])
    await killed!.restart()
    await works()
  },
  long,
)

test(
  'a primary that stands still is left when its replica has taken over',
  async () => {
    const [paused] = await cluster.primaries()
    paused!.pause()
    await becomes('failing-over')
    await becomes('connected')
    await works()
    paused!.resume()
    await works()
  },
  long,
)

for (const how of ['refuse', 'hang'] as const)
  test(`cut off (${how}), commands fail, and it comes back`, async () => {
    proxies.cut(how)
    await expect(connection.command('a', ['GET', 'a'])).rejects.toThrow()
    await becomes('down')
    proxies.mend()
    await becomes('connected')
    await works()
  })

test('a Redis that takes longer than the timeout is down, and connected when it is quick again', async () => {
  proxies.delay(1_500)
  await becomes('down')
  expect(events.at(-1)).toMatch(/redis down .*did not come within 1000 ms/)
  proxies.delay(0)
  await becomes('connected')
})

test('nodes learn of each other, and of one that leaves', async () => {
  const nodes = [new LiveNodes(connection), new LiveNodes(connection)]
  for (const node of nodes) await node.start()
  const ids = nodes.map(({ nodes: { id } }) => id).sort()
  await eventually('both know both', () => nodes.every(({ nodes: { all } }) => all.join() === ids.join()))
  expect(nodes[0]!.nodes.silent).toEqual([])
  const [left, stays] = nodes as [LiveNodes, LiveNodes]
  await left.close()
  await eventually('the one that stays is alone', () => stays.nodes.all.join() === stays.nodes.id)
  await stays.close()
})

test('secrets are neither in the facts nor in the log', async () => {
  const other = connect(proxies.addresses, { username: 'gateway', password: 'correct horse' })
  await other.start()
  expect(other.facts.state).toBe('down')
  expect(events.at(-1)).toMatch(/redis down .*WRONGPASS/)
  expect(JSON.stringify([other.facts, events])).not.toContain('horse')
  await other.close()
})

plainTest('without any server it is down and says so, and a command fails at once', async () => {
  const lonely = connect(['127.0.0.1:1'])
  await lonely.start()
  expect(lonely.state).toBe('down')
  expect(events.join()).toContain('error redis down')
  await expect(lonely.command('a', ['GET', 'a'])).rejects.toThrow('not connected')
  await lonely.close()
})
