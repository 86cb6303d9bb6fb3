import { expect } from '@jest/globals'
import { type Fault, onEach } from '../../../scripts/lab/drills/fault.ts'
import { cutFromRedis } from '../../../scripts/lab/drills/firewall.ts'
import { impairLink } from '../../../scripts/lab/drills/link.ts'
import {
  holdRedisDown,
  killRedis,
  redisPorts,
  redisServers,
} from '../../../scripts/lab/drills/redis-servers.ts'
import { note } from '../figures.ts'
import { type DrillLab, drill, failuresOf, limit, seconds, tell } from './drill-lab.ts'
import { exactWithin, limitThrough } from './limit.ts'

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
