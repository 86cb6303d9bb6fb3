import { expect } from '@jest/globals'
import { attackSlowly, floodWithSyn } from '../../../scripts/lab/drills/attacks.ts'
import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { exhaustFiles, fillLogDisk, hangGateway } from '../../../scripts/lab/drills/resources.ts'
import { note } from '../figures.ts'
import { clients, type DrillLab, drill, during, failuresOf, pause, seconds, tell } from './drill-lab.ts'

/** What becomes of requests when a node lacks what it needs, and when strangers want all of it. */
export function resourceDrills(lab: () => DrillLab): void {
  async function under(fault: () => Promise<Fault>, lasting = 4_000) {
    const account = await lab().underLoad(() => during(fault(), () => pause(lasting)))
    await lab().settled()
    return account
  }

  drill('a full log disk fails no request', async () => {
    const account = await under(() => fillLogDisk(lab().hosts[0]!))
    note('A node whose log disk is full', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
  })

  drill('a node that has no file descriptors left fails no request', async () => {
    const account = await under(() => exhaustFiles(lab().hosts[0]!, 4))
    note('A node that has 4 file descriptors to spare', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
  })

  drill('a node that hangs fails what it had in its hands alone', async () => {
    const account = await under(() => hangGateway(lab().hosts.at(-1)!))
    note(
      'A gateway that is stopped for 4 s, its connections open',
      `at most the ${clients} requests in flight fail, and what comes until it is taken off (2 s)`,
      `${tell(account)}; longest time without an answer ${seconds(account.longestGap)}`,
    )
    expect(account.failures.length).toBeLessThanOrEqual(2 * clients)
  })

  drill('a flood of half-open connections fails no request', async () => {
    const { lab: record, hosts, holders, vip } = lab()
    const [active] = await holders()
    const from = hosts.find(({ name }) => name !== active!.name)!
    const account = await under(() => floodWithSyn(record, from, vip))
    note(
      '16,000 SYN segments in 4 s to the virtual IP, from addresses that nobody has',
      'no failed request',
      tell(account),
    )
    expect(failuresOf(account)).toEqual({})
  })

  drill('slow clients fail no request of others', async () => {
    const account = await under(() => attackSlowly(lab().vip))
    note('400 clients that send a byte of their request each 500 ms', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
  })
}
