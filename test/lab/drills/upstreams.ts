import { expect } from '@jest/globals'
import type { EchoService } from '../../../scripts/lab/drills/echo-service.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { clients, type Drilled, type DrillLab, drill, failuresOf, pause, seconds, tell } from './drill-lab.ts'

/** Of the service behind /targets: what one attempt may take, failures that open a circuit, and for how long. */
const tryTimeout = 1_000
const failuresToOpen = 5
const openFor = 2_000
const lasting = 6_000

const slowest = ({ sent }: Drilled) => Math.max(...sent.map(({ from, to }) => to - from))

/** What becomes of requests when one of three targets of a service is not well, and how soon it is used again. */
export function upstreamDrills(lab: () => DrillLab): void {
  /** One target is made unwell, is so for a while, and is well again; what it was asked while it was unwell. */
  async function unwell(make: (target: EchoService) => unknown, mend: (target: EchoService) => unknown) {
    const [target] = lab().targets
    let [asked, back] = [0, 0]
    const account = await lab().underLoad(
      async () => {
        await make(target!)
        const before = target!.asked
        await pause(lasting)
        asked = target!.asked - before
        await mend(target!)
        const from = performance.now()
        const enough = target!.asked + 20
        await eventually('the target gets its part again', () => target!.asked >= enough, 20_000)
        back = performance.now() - from
      },
      1_000,
      { path: '/targets' },
    )
    return { account, asked, back }
  }

  /** Attempts at a target that fails: until the circuit of each node opens, what is on its way then, and probes. */
  const budget = () => lab().hosts.length * (failuresToOpen + Math.ceil(lasting / openFor)) + clients

  drill('a target that dies fails no request', async () => {
    const { account, back } = await unwell(
      (target) => target.stop(),
      (target) => target.comeBack(),
    )
    note(
      'A target of three dies, and comes back after 6 s',
      'no failed request; used again once its circuit is probed (2 s)',
      `${tell(account)}; used again after ${seconds(back)}`,
    )
    expect(failuresOf(account)).toEqual({})
  })

  drill('a target that resets connections fails no request', async () => {
    const { account, asked, back } = await unwell(
      (target) => target.behave('reset'),
      (target) => target.behave('answer'),
    )
    note(
      'A target of three resets each connection for 6 s',
      `no failed request; at most ${budget()} attempts at it (${failuresToOpen} by each node, then a probe each 2 s)`,
      `${tell(account)}; ${asked} attempts; used again after ${seconds(back)}`,
    )
    expect(failuresOf(account)).toEqual({})
    expect(asked).toBeLessThanOrEqual(budget())
  })

  drill('a target that hangs fails no request', async () => {
    const { account, asked, back } = await unwell(
      (target) => target.behave('hang'),
      (target) => target.behave('answer'),
    )
    note(
      'A target of three hangs for 6 s',
      `no failed request; at most ${budget()} wait for one attempt (1 s) and go on elsewhere`,
      `${tell(account)}; ${asked} waited, ${seconds(slowest(account))} at most; used again after ${seconds(back)}`,
    )
    expect(failuresOf(account)).toEqual({})
    expect(asked).toBeLessThanOrEqual(budget())
    // One attempt there and one elsewhere, on a machine that has more to do.
    expect(slowest(account)).toBeLessThan(3 * tryTimeout)
  })

  drill('a target that is slow fails no request', async () => {
    const { account } = await unwell(
      (target) => target.behave({ delay: 500 }),
      (target) => target.behave('answer'),
    )
    note(
      'A target of three takes 500 ms for 6 s',
      'no failed request',
      `${tell(account)}, the slowest took ${seconds(slowest(account))}`,
    )
    expect(failuresOf(account)).toEqual({})
  })
}
