import { expect } from '@jest/globals'
import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { cutPower } from '../../../scripts/lab/drills/power.ts'
import { killGateway } from '../../../scripts/lab/drills/resources.ts'
import { doOnHost, runOnHost } from '../../../scripts/lab/host.ts'
import { eventually } from '../../support/eventually.ts'
import { note } from '../figures.ts'
import { clients, type DrillLab, drill, failuresOf, seconds, tell, until } from './drill-lab.ts'

/** What becomes of requests when gateways and balancers are reloaded, stopped and killed. */
export function gatewayDrills(lab: () => DrillLab): void {
  drill('a reload of the configuration on all nodes fails no request', async () => {
    const { hosts, underLoad } = lab()
    const account = await underLoad(async () => {
      for (const host of hosts) await doOnHost(host, 'systemctl reload gateway-service')
    })
    note('Reload of the configuration, node by node', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
  })

  drill('a reload of the balancer fails no request', async () => {
    const { holders, underLoad } = lab()
    const [edge] = await holders()
    const account = await underLoad(() => doOnHost(edge!, 'systemctl reload haproxy'))
    note('Reload of HAProxy on the active edge', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
  })

  drill('a node that is stopped and started fails no request', async () => {
    const { hosts, underLoad, settled } = lab()
    const account = await underLoad(async () => {
      await doOnHost(hosts[0]!, 'systemctl stop gateway-service')
      await doOnHost(hosts[0]!, 'systemctl start gateway-service')
    })
    note('A node stopped and started again', 'no failed request', tell(account))
    expect(failuresOf(account)).toEqual({})
    await settled()
  })

  drill('the kill of a gateway cuts off what it had in its hands alone', async () => {
    const { hosts, underLoad, settled } = lab()
    const host = hosts.at(-1)!
    const account = await underLoad(
      async () => {
        await killGateway(host)
        await eventually('the service manager starts it again', async () =>
          /^active/.test((await runOnHost(host, 'systemctl is-active gateway-service')).output),
        )
      },
      3_000,
      { retries: true },
    )
    const cutOff = account.sent.filter(({ retried }) => retried).length
    note(
      'kill -9 of a gateway',
      `at most the ${clients} requests in flight are cut off; idempotent ones, sent again by their clients, do not fail`,
      `${cutOff} cut off; ${tell(account)}`,
    )
    expect(cutOff).toBeLessThanOrEqual(clients)
    expect(failuresOf(account)).toEqual({})
    await settled()
  })

  drill('the power cut of a node takes its traffic off', async () => {
    const { lab: record, hosts, holders, underLoad, settled } = lab()
    const [active] = await holders()
    const host = hosts.find(({ name }) => name !== active!.name)!
    let cut: Fault | undefined
    try {
      const account = await underLoad(async () => {
        cut = await cutPower(record, host)
      }, 6_000)
      const last = until(account)
      note(
        'Power cut of a node',
        'traffic off it in under 2 s',
        `${tell(account)}, the last after ${seconds(last)}`,
      )
      // The load and three hosts share two cores: what is promised is 2 s.
      expect(last).toBeLessThan(6_000)
    } finally {
      await cut?.undo()
    }
    await settled()
  })
}
