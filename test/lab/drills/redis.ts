import { expect } from '@jest/globals'
import { type Fault, onEach } from '../../../scripts/lab/drills/fault.ts'
import { cutFromRedis } from '../../../scripts/lab/drills/firewall.ts'
import { startLimitLoad } from '../../../scripts/lab/drills/limit-load.ts'
import { impairLink } from '../../../scripts/lab/drills/link.ts'
import {
  holdRedisDown,
  killRedis,
  redisPorts,
  redisServers,
} from '../../../scripts/lab/drills/redis-servers.ts'
import { doOnHost } from '../../../scripts/lab/host.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { type DrillLab, drill, during, failuresOf, limit, pause, seconds, tell } from './drill-lab.ts'

const limitClients = 9
const lasting = 6_000
/** Seconds after Redis is well again. */
const exactWithin = 5

const second = () => Math.floor(Date.now() / 1_000)
const startOfSecond = () => pause(1_000 - (Date.now() % 1_000))

/** Requests that came to the service in each whole second from one to before another. */
function passedIn({ limited }: DrillLab, from: number, to: number): number[] {
  const counts = new Map<number, number>()
  for (const at of limited) {
    const key = Math.floor(at / 1_000)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return Array.from({ length: to - from }, (_, index) => counts.get(from + index) ?? 0)
}

/** Whether all nodes count limits in Redis, by what they last said of it. */
async function countsInRedis({ hosts }: DrillLab): Promise<boolean> {
  const said = await Promise.all(
    hosts.map((host) => doOnHost(host, "grep 'rate limits are' /var/log/gateway/error.log | tail -n 1")),
  )
  return said.every((line) => !line.includes('without redis'))
}

/** More than the limit is offered while Redis is well, while it is not, and after; beside it, what no limit should stop. */
async function limitThrough(lab: DrillLab, fault: () => Promise<Fault>) {
  const load = startLimitLoad(lab.vip, '/limited', limitClients)
  let exactAfter = 0
  let [first, faultAt, healedAt, last] = [0, 0, 0, 0]
  const others = await lab.underLoad(
    async () => {
      await startOfSecond()
      first = second()
      await pause(3_000)
      faultAt = second()
      await during(fault(), () => pause(lasting))
      healedAt = second() + 1
      const from = performance.now()
      await eventually('all nodes count in redis again', () => countsInRedis(lab), 30_000)
      exactAfter = performance.now() - from
      while (second() < healedAt + exactWithin) await startOfSecond()
    },
    4_000,
    { clients: 2 },
  )
  last = second()
  const { sent, failures } = await load.stop()
  return {
    sent,
    failures,
    others,
    exactAfter,
    healthy: passedIn(lab, first, faultAt),
    ill: passedIn(lab, faultAt, healedAt + exactWithin),
    healed: passedIn(lab, healedAt + exactWithin, last),
  }
}

const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)

/** What becomes of requests, and of a limit over all nodes, when servers of Redis are not there. */
export function redisDrills(lab: () => DrillLab): void {
  drill('the kill of the servers of Redis of a host fails no request', async () => {
    const { hosts, underLoad, settled } = lab()
    const account = await underLoad(() => killRedis(hosts[1]!))
    note('kill -9 of the servers of Redis of a host', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
    await settled()
  })

  const faults: readonly (readonly [name: string, fault: () => Promise<Fault>])[] = [
    [
      'A primary of Redis down for 6 s',
      async () => {
        const primary = (await redisServers(lab().hosts)).find(({ role }) => role === 'primary')!
        return holdRedisDown(primary.host, [primary.port])
      },
    ],
    [
      'The majority of Redis down for 6 s',
      () => onEach(lab().hosts.slice(0, 2), (host) => holdRedisDown(host)),
    ],
    ['All gateways cut off from Redis for 6 s', () => onEach(lab().hosts, cutFromRedis)],
    [
      'Redis slow for 6 s: 200 ms to and from servers of other hosts',
      () =>
        onEach(lab().hosts, (host) => impairLink(lab().lab, host, { delay: 200, ports: [...redisPorts] })),
    ],
  ]
  for (const [name, fault] of faults) {
    drill(`${name}: no request fails, and the limit holds`, async () => {
      const seen = await limitThrough(lab(), fault)
      const { healthy, ill, healed, others } = seen
      const most = [healthy, ill, healed].map((counts) => Math.max(...counts))
      const over = ill.filter((count) => count > limit).length
      note(
        name,
        `no failed request; of ${limit} requests a second over all nodes never one more while Redis is well, no more than the nodes' shares otherwise, exact again within ${exactWithin} s`,
        `${seen.failures.length + others.failures.length} of ${seen.sent + others.sent.length} requests failed; most passed in a second: ${most[0]} before, ${most[1]} while Redis was ill or just back (${over} of ${ill.length} seconds over the limit), ${most[2]} after; counted in Redis again after ${seconds(seen.exactAfter)}`,
      )
      expect([...seen.failures, ...others.failures]).toEqual([])
      expect([most[0]! <= limit, most[2]! <= limit]).toEqual([true, true])
      for (const counts of [healthy, healed]) expect(sum(counts)).toBeGreaterThan(0.8 * limit * counts.length)
      // In the second in which Redis goes, one node may hold more than its share, and others take theirs.
      expect(most[1]).toBeLessThan(2 * limit)
      expect(sum(ill)).toBeLessThanOrEqual(limit * (ill.length + 1))
      expect(seen.exactAfter).toBeLessThan(exactWithin * 1_000)
      await lab().settled()
    })
  }
}
