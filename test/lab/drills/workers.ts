import { expect } from '@jest/globals'
import {
  endWorker,
  exposeWorkers,
  type WorkerEnd,
  workerDeaths,
} from '../../../scripts/lab/drills/workers.ts'
import { doOnHost } from '../../../scripts/lab/host.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { type DrillLab, drill, during, failuresOf, tell } from './drill-lab.ts'

const clients = 12
/** So that each node has requests in its hands at any time; milliseconds. */
const answerTime = 300

const ends: readonly (readonly [WorkerEnd, name: string, reason: RegExp])[] = [
  ['exit', 'A worker of two ended at once', /worker died/],
  ['heap', 'A worker of two whose heap is full', /worker failed.*memory limit/],
]

/** What becomes of requests when one worker of a gateway ends, and the other lives. */
export function workerDrills(lab: () => DrillLab): void {
  for (const [end, name, reason] of ends) {
    drill(`${name}: what it had in its hands is cut off, and nothing else`, async () => {
      const { hosts, targets, underLoad, settled } = lab()
      const host = hosts.at(-1)!
      const pid = 'systemctl show -p MainPID --value gateway-service'
      await during(exposeWorkers(host), async () => {
        await settled()
        const before = await doOnHost(host, pid)
        for (const target of targets) target.behave({ delay: answerTime })
        const account = await underLoad(
          async () => {
            await endWorker(host, end)
            await eventually('it is replaced', async () => (await workerDeaths(host)).restarts > 0, 20_000)
          },
          3_000,
          { clients, path: '/targets', retries: true },
        )
        for (const target of targets) target.behave('answer')
        const { restarts, log } = await workerDeaths(host)
        const cutOff = account.sent.filter(({ retried }) => retried).length
        note(
          name,
          `at most the ${clients / hosts.length} requests in flight on its node are cut off; idempotent ones, sent again by their clients, do not fail; it is replaced, logged and counted`,
          `${cutOff} cut off; ${tell(account)}; replaced: ${restarts}`,
        )
        expect(failuresOf(account)).toEqual({})
        expect(cutOff).toBeLessThanOrEqual(clients / hosts.length)
        expect(restarts).toBe(1)
        expect(log).toMatch(reason)
        expect(await doOnHost(host, pid)).toBe(before)
      })
      await settled()
    })
  }
}
