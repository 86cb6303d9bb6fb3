import { once } from 'node:events'
import { connect } from 'node:tls'
import { expect } from '@jest/globals'
import { giveClock } from '../../../scripts/lab/drills/clock.ts'
import { ports } from '../../../scripts/lab/environment.ts'
import { doOnHost } from '../../../scripts/lab/host.ts'
import type { HostRecord } from '../../../scripts/lab/record.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { type DrillLab, drill, during, limit } from './drill-lab.ts'
import { limitThrough } from './limit.ts'

const day = 86_400

/** Seconds between the time that a gateway gave its last request in its log and now. */
async function aheadOf(host: HostRecord): Promise<number> {
  const line = await doOnHost(host, 'tail -n 1 /var/log/gateway/access.log')
  const { time } = JSON.parse(line) as { time: string }
  return (Date.parse(time) - Date.now()) / 1_000
}

/** Fingerprints of the certificates that gateways show, by so many connections that each is asked several times. */
async function shownCertificates({ vip, hosts }: DrillLab): Promise<readonly string[]> {
  const shown = new Set<string>()
  for (let count = 0; count < hosts.length * 4; count++) {
    const socket = connect({ host: vip, port: ports.https[0], rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    shown.add(socket.getPeerCertificate().fingerprint256)
    socket.destroy()
  }
  return [...shown].sort()
}

/** What becomes of requests and of a limit over all nodes when the clock of one of them is set. */
export function clockDrills(lab: () => DrillLab): void {
  drill('a clock that jumps by a day, and back, fails no request and lets none pass a limit', async () => {
    const { hosts, settled } = lab()
    const host = hosts.at(-1)!
    await during(giveClock(host), async (clock) => {
      await settled()
      const certificates = await shownCertificates(lab())
      let tomorrow: readonly string[] = []
      const { failures, others, sent, healthy, ill, healed } = await limitThrough(lab(), async () => {
        await clock.set(day)
        await eventually('the gateway lives tomorrow', async () => (await aheadOf(host)) > day / 2)
        tomorrow = await shownCertificates(lab())
        return {
          async undo() {
            await clock.set(0)
            await eventually('the gateway lives today', async () => Math.abs(await aheadOf(host)) < day / 2)
          },
        }
      })
      const counts = [...healthy, ...ill, ...healed]
      note(
        'The clock of a gateway a day ahead for 6 s, and back',
        `no failed request; of ${limit} requests a second over all nodes never one more; the same certificates`,
        `${failures.length + others.failures.length} of ${sent + others.sent.length} requests failed; most passed in a second: ${Math.max(...counts)}; ${tomorrow.length} certificates, the same`,
      )
      expect([...failures, ...others.failures]).toEqual([])
      expect(Math.max(...counts)).toBeLessThanOrEqual(limit)
      expect(Math.min(...counts)).toBeGreaterThan(0)
      expect(tomorrow).toEqual(certificates)
      expect(await shownCertificates(lab())).toEqual(certificates)
    })
    await settled()
  })
}
