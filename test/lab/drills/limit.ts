import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { startLimitLoad } from '../../../scripts/lab/drills/limit-load.ts'
import { doOnHost } from '../../../scripts/lab/host.ts'
import { eventually } from '../../support/eventually.ts'
import { type DrillLab, during, pause } from './drill-lab.ts'

const limitClients = 9
const lasting = 6_000
/** Seconds after a fault of Redis until limits are exact again. */
export const exactWithin = 5

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

/** More than the limit is offered before a fault, while it lasts, and after; beside it, what no limit should stop. */
export async function limitThrough(lab: DrillLab, fault: () => Promise<Fault>) {
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
