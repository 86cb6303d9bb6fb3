import { expect } from '@jest/globals'
import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { impairLink, shrinkPackets } from '../../../scripts/lab/drills/link.ts'
import type { HostRecord } from '../../../scripts/lab/record.ts'
import { note } from '../figures.ts'
import { type DrillLab, drill, during, failuresOf, pause, seconds, tell } from './drill-lab.ts'

const lasting = 3_000
/** Answers of several packets, and clients that wait until lost ones were sent again. */
const load = { path: '/echo?bytes=8000', timeout: 30_000 }

/** What becomes of requests when the cable of one host after the other is bad, in both directions. */
export function networkDrills(lab: () => DrillLab): void {
  const impaired = (impairment: Parameters<typeof impairLink>[2]) => (host: HostRecord) =>
    impairLink(lab().lab, host, impairment)
  const faults: readonly (readonly [name: string, fault: (host: HostRecord) => Promise<Fault>])[] = [
    ['5 % of packets lost', impaired({ loss: 0.05 })],
    ['Packets 100 ms late', impaired({ delay: 100 })],
    ['10 % of packets twice', impaired({ duplicate: 0.1 })],
    ['25 % of packets overtake others, which are 10 ms late', impaired({ delay: 10, reorder: 0.25 })],
    ['Packets of 1,280 bytes at most', (host) => shrinkPackets(host, 1_280)],
  ]
  for (const [name, fault] of faults) {
    drill(`${name}, on each cable in turn: no request fails`, async () => {
      const { hosts, underLoad, settled } = lab()
      const account = await underLoad(
        async () => {
          for (const host of hosts) await during(fault(host), () => pause(lasting))
        },
        1_000,
        load,
      )
      const slowest = Math.max(...account.sent.map(({ from, to }) => to - from))
      note(
        `${name}, on the cable of each host in turn`,
        'no failed request',
        `${tell(account)}, the slowest took ${seconds(slowest)}`,
      )
      expect(failuresOf(account)).toEqual({})
      await settled()
    })
  }
}
