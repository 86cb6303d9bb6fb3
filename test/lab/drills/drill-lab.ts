import { test } from '@jest/globals'
import { deployLab, type LabDeployment } from '../../../scripts/lab/deploy.ts'
import { type EchoService, startEchoService } from '../../../scripts/lab/drills/echo-service.ts'
import type { Fault } from '../../../scripts/lab/drills/fault.ts'
import { isSettled } from '../../../scripts/lab/drills/settled.ts'
import { type Account, type LoadOptions, startSteadyLoad } from '../../../scripts/lab/drills/steady-load.ts'
import { holdersOf } from '../../../scripts/lab/drills/virtual-ip.ts'
import { defaultConfiguration } from '../../../scripts/lab/environment.ts'
import { neighbourOf } from '../../../scripts/lab/lab.ts'
import type { HostRecord, LabRecord } from '../../../scripts/lab/record.ts'
import { findProgram } from '../../../scripts/process/system-programs.ts'
import { eventually } from '../../support/eventually.ts'
import { whyNoHosts } from '../host.ts'

/** Requests that are under way at once in the load of a drill, unless it says otherwise. */
export const clients = 6
/** Requests in a second that all nodes together let pass on `/limited`: a third of what two cores offer. */
export const limit = 150

/** Why drills are not run; undefined where they are. */
export async function whyNoDrills(): Promise<string | undefined> {
  if (process.env.GATEHOUSE_TEST_LAB !== '1') return 'npm run test:lab runs it'
  if (!(await findProgram('terraform'))) return 'terraform is not installed'
  return whyNoHosts()
}

const reason = await whyNoDrills()

/** A test that is skipped where no lab can be had. */
export const drill = (name: string, body: () => Promise<void>) =>
  reason ? test.skip(`${name} (skipped: ${reason})`, body) : test(name, body, 300_000)

/** A drill's account, and when what was done began. */
export type Drilled = Account & { readonly since: number }

/** Three hosts with all roles, with services behind them that this process runs. */
export interface DrillLab {
  readonly deployment: LabDeployment
  readonly lab: LabRecord
  readonly hosts: readonly HostRecord[]
  readonly vip: string
  /** Times at which requests for `/limited` came to the service, in milliseconds since 1970. */
  readonly limited: number[]
  /** The three targets behind `/targets`. */
  readonly targets: readonly EchoService[]
  /** Hosts that are up and hold the virtual IP. */
  holders(): Promise<HostRecord[]>
  /** Waits until all nodes pass requests on, one host holds the virtual IP, and Redis is whole. */
  settled(): Promise<void>
  /** Does something under load, which goes on for a while (ms; 3,000) behind it. */
  underLoad(action: () => Promise<unknown>, after?: number, options?: LoadOptions): Promise<Drilled>
  stop(): Promise<void>
}

const configurationOf = (echo: EchoService, targets: readonly EchoService[]) => ({
  ...defaultConfiguration,
  'services.yaml': `upstreams:
  - name: targets
    targets: [${targets.map(({ target }) => `{ target: '${target}' }`).join(', ')}]
    circuit_breaker: { open_duration: 2000 }
services:
  - { name: echo, url: '${echo.url}' }
  - { name: targets, upstream: targets, connect_timeout: 500, try_timeout: 1000 }
routes:
  - { name: echo, service: echo, paths: [/echo], strip_path: false }
  - { name: limited, service: echo, paths: [/limited], strip_path: false }
  - { name: targets, service: targets, paths: [/targets], strip_path: false }
plugins:
  - { name: rate-limiting, config: { limit: 100000, period: second, by: path, sync: cluster } }
  - { name: rate-limiting, route: limited, config: { limit: ${limit}, period: second, by: path, sync: cluster } }
`,
})

/** Deploys it, or resolves with undefined where drills are not run. */
export async function startDrillLab(): Promise<DrillLab | undefined> {
  if (reason) return undefined
  const limited: number[] = []
  const services: EchoService[] = []
  const deployment = await deployLab({
    name: `test-${process.pid}`,
    isOwned: true,
    settings: async (record) => {
      const onRequest = (path: string) => path === '/limited' && limited.push(Date.now())
      services.push(await startEchoService(neighbourOf(record), { onRequest }))
      for (let count = 0; count < 3; count++) services.push(await startEchoService(neighbourOf(record)))
      return { configuration: configurationOf(services[0]!, services.slice(1)) }
    },
  })
  const { lab } = deployment
  const { hosts } = lab
  const vip = deployment.virtualIps[0]!
  const holders = () => holdersOf(hosts, vip)
  const underLoad: DrillLab['underLoad'] = async (action, after = 3_000, options = {}) => {
    const load = startSteadyLoad(vip, { clients, ...options })
    await pause(1_000)
    const since = performance.now()
    await action().finally(() => pause(after))
    return { ...(await load.stop()), since }
  }
  return {
    deployment,
    lab,
    hosts,
    vip,
    limited,
    targets: services.slice(1),
    holders,
    underLoad,
    settled: async () => void (await eventually('all nodes serve', () => isSettled(hosts, vip), 120_000)),
    async stop() {
      await deployment.close()
      for (const service of services) await service.stop()
    },
  }
}

/** For as long as a load is to go on. */
export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Does a thing to a lab for as long as other work takes, and takes it back whatever comes of that. */
export async function during<T extends Fault>(
  fault: Promise<T>,
  work: (fault: T) => Promise<unknown>,
): Promise<void> {
  const made = await fault
  await work(made).finally(() => made.undo())
}

export const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(2)} s`
export const tell = ({ sent, failures }: Account) => `${failures.length} of ${sent.length} requests failed`
/** What went wrong, and how often each. */
export function failuresOf({ failures }: Account): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { failure } of failures) counts[failure!] = (counts[failure!] ?? 0) + 1
  return counts
}

/** How long failures went on after what was done. */
export const until = ({ failures, since }: Drilled) => Math.max(0, ...failures.map(({ to }) => to - since))
