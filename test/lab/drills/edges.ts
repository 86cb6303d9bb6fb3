import { expect } from '@jest/globals'
import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { cutFromEdges } from '../../../scripts/lab/drills/firewall.ts'
import { cutPower } from '../../../scripts/lab/drills/power.ts'
import { startSteadyLoad } from '../../../scripts/lab/drills/steady-load.ts'
import { watchAddress } from '../../../scripts/lab/drills/virtual-ip.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { clients, type DrillLab, drill, during, pause, seconds, tell } from './drill-lab.ts'

/** An edge that comes back waits for 30 s before it takes an address. */
const preemption = 60_000

/** Who holds the virtual IP when edges go, are cut off, and come back. */
export function edgeDrills(lab: () => DrillLab): void {
  drill('edges that do not see each other end with one holder', async () => {
    const { hosts, vip, holders, underLoad, settled } = lab()
    const [active] = await holders()
    const watch = watchAddress(hosts, vip)
    let apart = 0
    let healed = 0
    const account = await underLoad(async () => {
      await during(cutFromEdges(active!), async () => {
        await eventually('another edge takes the address too', async () => (await holders()).length === 2)
        await pause(4_000)
        apart = (await holders()).length
      })
      const from = performance.now()
      await eventually('one edge holds it', async () => (await holders()).length === 1, 20_000)
      healed = performance.now() - from
    })
    watch.stop()
    note(
      'The active edge cut off from the others, alive, for 4 s',
      'clients reach a live edge; one holder once the cut heals',
      `${apart} holders while cut; one ${seconds(healed)} after; moves: ${watch.moves.length}; ${tell(account)}`,
    )
    expect(apart).toBe(2)
    expect(healed).toBeLessThan(5_000)
    expect(account.failures.length).toBeLessThanOrEqual(2 * clients)
    await settled()
    expect((await holders()).map(({ name }) => name)).toEqual([active!.name])
  })

  drill('the power cut of the active edge moves the virtual IP, which comes back once', async () => {
    const { lab: record, hosts, vip, holders, underLoad, settled } = lab()
    const [active] = await holders()
    const watch = watchAddress(hosts, vip)
    let cut: Fault | undefined
    try {
      // Those who come later, too: who sent a first segment before the move sends it again after a second (RFC 6298).
      const newcomers = startSteadyLoad(vip, { every: 50 })
      const account = await underLoad(async () => {
        cut = await cutPower(record, active!)
      }, 6_000)
      const { longestGap } = await newcomers.stop()
      const moved = watch.moves[0]
      note(
        'Power cut of the active edge',
        'the virtual IP moves in under 1 s',
        `moved after ${seconds(moved!.at - account.since)}; longest time in which nobody was answered ${seconds(longestGap)}; ${tell(account)}`,
      )
      expect(longestGap).toBeLessThan(6_000)
      expect(await holders()).toHaveLength(1)
      expect(watch.moves).toHaveLength(1)
    } finally {
      await cut?.undo()
    }
    const back = await underLoad(
      () => eventually('it has its address again', async () => isHeldBy(active!.name), preemption),
      5_000,
    )
    watch.stop()
    note('That edge comes back', 'no flapping', `moves: ${watch.moves.length}, away and back; ${tell(back)}`)
    expect(watch.moves.map(({ host }) => host)).toEqual([watch.moves[0]!.host, active!.name])
    expect(back.failures.length).toBeLessThanOrEqual(clients)
    await settled()

    async function isHeldBy(name: string): Promise<boolean> {
      const [holder, ...others] = await holders()
      return holder?.name === name && others.length === 0
    }
  })
}
