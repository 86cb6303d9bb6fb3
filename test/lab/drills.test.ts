import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { deployLab, type LabDeployment } from '../../scripts/lab/deploy.ts'
import { type EchoService, startEchoService } from '../../scripts/lab/drills/echo-service.ts'
import { cutPower, restorePower } from '../../scripts/lab/drills/power.ts'
import { type Figure, reliabilityPage } from '../../scripts/lab/drills/reliability-page.ts'
import { type Account, startSteadyLoad } from '../../scripts/lab/drills/steady-load.ts'
import { defaultConfiguration } from '../../scripts/lab/environment.ts'
import { runOnHost } from '../../scripts/lab/host.ts'
import { neighbourOf } from '../../scripts/lab/lab.ts'
import type { HostRecord } from '../../scripts/lab/record.ts'
import { findProgram } from '../../scripts/process/system-programs.ts'
import { root } from '../../scripts/process/tool.ts'
import { eventually } from '../support/eventually.ts'
import { whyNoHosts } from './host.ts'

const clients = 6

async function whyNoDrills(): Promise<string | undefined> {
  if (process.env.GATEHOUSE_TEST_LAB !== '1') return 'npm run test:lab runs it'
  if (!(await findProgram('terraform'))) return 'terraform is not installed'
  return whyNoHosts()
}

const reason = await whyNoDrills()
const drill = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 300_000)

let lab: LabDeployment
let echo: EchoService
let vip: string
const figures: Figure[] = []

beforeAll(async () => {
  if (reason) return
  lab = await deployLab({
    name: `test-${process.pid}`,
    isOwned: true,
    settings: async (record) => {
      echo = await startEchoService(neighbourOf(record))
      const services = `services:
  - { name: echo, url: '${echo.url}' }
routes:
  - { name: echo, service: echo, paths: [/echo], strip_path: false }
plugins:
  - { name: rate-limiting, config: { limit: 100000, period: second, by: path, sync: cluster } }
`
      return { configuration: { ...defaultConfiguration, 'services.yaml': services } }
    },
  })
  vip = lab.virtualIps[0]!
  await settled()
}, 600_000)

afterAll(async () => {
  await lab?.close()
  await echo?.stop()
  if (process.env.GATEHOUSE_WRITE === '1' && figures.length > 0)
    writeFileSync(join(root, 'docs/reliability.md'), reliabilityPage(figures, machine()))
}, 120_000)

const machine = () => `${cpus().length} cores of ${cpus()[0]!.model.trim()}, shared by all hosts and the load`

/** Waits until all nodes pass requests on, and one host holds the virtual IP. */
async function settled(): Promise<void> {
  await eventually(
    'all nodes serve',
    async () => {
      const load = startSteadyLoad(vip, clients)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const { failures, byNode } = await load.stop()
      return failures.length === 0 && byNode.size === lab.lab.hosts.length && (await holders()).length === 1
    },
    120_000,
  )
}

/** Hosts that are up and hold the virtual IP. */
async function holders(): Promise<HostRecord[]> {
  const held = await Promise.all(
    lab.lab.hosts.map(async (host) => {
      const { code, output } = await runOnHost(host, `ip -br addr show to ${vip}/32`)
      return code === 0 && output.trim() !== '' ? [host] : []
    }),
  )
  return held.flat()
}

/** Runs a script on a host; throws with what it wrote when it fails. */
async function done(host: HostRecord, script: string): Promise<string> {
  const { code, output } = await runOnHost(host, script)
  if (code !== 0) throw new Error(`${host.name}: ${output}`)
  return output
}

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(2)} s`
const tell = ({ sent, failures }: Account) => `${failures.length} of ${sent.length} requests failed`

/** Does something under load, which goes on for a while behind it. */
async function underLoad(
  action: () => Promise<void>,
  after = 3_000,
): Promise<Account & { readonly since: number }> {
  const load = startSteadyLoad(vip, clients)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const since = performance.now()
  await action().finally(() => new Promise((resolve) => setTimeout(resolve, after)))
  return { ...(await load.stop()), since }
}

function note(name: string, promise: string, seen: string): void {
  figures.push({ drill: name, promise, seen })
  process.stdout.write(`  ${name}: ${seen}\n`)
}

/** How long failures went on after a moment. */
const until = ({ failures, since }: Account & { readonly since: number }) =>
  Math.max(0, ...failures.map(({ to }) => to - since))

// Each goes on where the one before ended, with all hosts up.
describe('under steady load', () => {
  drill('a reload of the configuration on all nodes fails no request', async () => {
    const account = await underLoad(async () => {
      for (const host of lab.lab.hosts) await done(host, 'systemctl reload gateway-service')
    })
    note('Reload of the configuration, node by node', 'no failed request', tell(account))
    expect(account.failures).toEqual([])
  })

  drill('a reload of the balancer fails no request', async () => {
    const [edge] = await holders()
    const account = await underLoad(async () => void (await done(edge!, 'systemctl reload haproxy')))
    note('Reload of HAProxy on the active edge', 'no failed request', tell(account))
    expect(account.failures).toEqual([])
  })

  drill('a node that is stopped and started fails no request', async () => {
    const [host] = lab.lab.hosts
    const account = await underLoad(async () => {
      await done(host!, 'systemctl stop gateway-service')
      await done(host!, 'systemctl start gateway-service')
    })
    note('A node stopped and started again', 'no failed request', tell(account))
    expect(account.failures).toEqual([])
    await settled()
  })

  drill('the kill of a gateway fails what it had in its hands alone', async () => {
    const host = lab.lab.hosts.at(-1)!
    const account = await underLoad(async () => {
      await done(host, 'kill -9 $(systemctl show -p MainPID --value gateway-service)')
      await eventually('the service manager starts it again', async () =>
        /^active/.test((await runOnHost(host, 'systemctl is-active gateway-service')).output),
      )
    })
    note('kill -9 of a gateway', `at most the ${clients} requests in flight fail`, tell(account))
    expect(account.failures.length).toBeLessThanOrEqual(clients)
    await settled()
  })

  drill('the kill of a primary of Redis fails no request', async () => {
    const account = await underLoad(async () => {
      for (const port of [6379, 6380])
        await runOnHost(lab.lab.hosts[1]!, `systemctl kill --signal=KILL redis-server@${port}`)
    })
    note('kill -9 of the servers of Redis of a host', 'no failed request', tell(account))
    expect(account.failures).toEqual([])
  })

  drill('the power cut of a node takes its traffic off', async () => {
    const active = (await holders())[0]!
    const host = lab.lab.hosts.find(({ name }) => name !== active.name)!
    try {
      const account = await underLoad(() => cutPower(lab.lab, host), 8_000)
      note(
        'Power cut of a node',
        'traffic off it in under 2 s',
        `${tell(account)}, the last after ${seconds(until(account))}`,
      )
      // The load and three hosts share two cores: what is promised is 2 s.
      expect(until(account)).toBeLessThan(6_000)
    } finally {
      await restorePower(lab.lab, host)
    }
    await settled()
  })

  drill('the power cut of the active edge moves the virtual IP', async () => {
    const host = (await holders())[0]!
    try {
      const account = await underLoad(() => cutPower(lab.lab, host), 8_000)
      note(
        'Power cut of the active edge',
        'the virtual IP moves in under 1 s',
        `longest time without an answer ${seconds(account.longestGap)}; ${tell(account)}`,
      )
      expect(account.longestGap).toBeLessThan(6_000)
      expect(await holders()).toHaveLength(1)
    } finally {
      await restorePower(lab.lab, host)
    }
    await settled()
    expect(await holders()).toHaveLength(1)
  })
})
