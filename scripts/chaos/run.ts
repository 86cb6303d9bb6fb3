import { setTimeout as sleep } from 'node:timers/promises'
import { deployLab, type LabDeployment } from '../lab/deploy.ts'
import { type EchoService, startEchoService } from '../lab/drills/echo-service.ts'
import { isSettled } from '../lab/drills/settled.ts'
import { startSteadyLoad } from '../lab/drills/steady-load.ts'
import { watchAddress } from '../lab/drills/virtual-ip.ts'
import { defaultConfiguration } from '../lab/environment.ts'
import { neighbourOf } from '../lab/lab.ts'
import { clients, faultKinds } from './faults.ts'
import { type HostLog, logsAround } from './host-logs.ts'
import { judge, type MadeFault, type Violation } from './judge.ts'
import type { PlannedFault } from './plan.ts'

/** Milliseconds in which a cluster must be whole again. */
const settleLimit = 120_000
/** Longer than packets that were lost need to be sent again. */
const requestTimeout = 15_000

export interface ChaosReport {
  /** Milliseconds under load. */
  readonly duration: number
  readonly requests: number
  readonly failures: number
  /** How often the virtual IP moved. */
  readonly moves: number
  /** Times are milliseconds since the load began. */
  readonly faults: readonly (MadeFault & { readonly failures: number })[]
  readonly violations: readonly (Violation & { readonly logs: readonly HostLog[] })[]
}

export interface ChaosRun {
  readonly plan: readonly PlannedFault[]
  /** Ends it once the fault that is under way was taken back. */
  readonly signal: AbortSignal
  /** Told of each fault as it is over. */
  readonly onFault: (fault: MadeFault, since: number) => void
}

/**
 * Deploys three hosts with all roles, and makes the planned faults under load. It ends early at a cluster that does not
 * become whole, which the report has as a violation. The lab is taken down in the end.
 * @throws Error where the lab cannot be made
 */
export async function runChaos({ plan, signal, onFault }: ChaosRun): Promise<ChaosReport> {
  let echo: EchoService | undefined
  const deployment = await deployLab({
    name: `chaos-${process.pid}`,
    isOwned: true,
    settings: async (lab) => {
      echo = await startEchoService(neighbourOf(lab))
      return { configuration: configurationOf(echo) }
    },
  })
  try {
    return await underChaos(deployment, plan, signal, onFault)
  } finally {
    await deployment.close()
    await echo?.stop()
  }
}

const configurationOf = ({ url }: EchoService) => ({
  ...defaultConfiguration,
  'services.yaml': `services:
  - { name: echo, url: '${url}' }
routes:
  - { name: echo, service: echo, paths: [/echo], strip_path: false }
plugins:
  - { name: rate-limiting, config: { limit: 100000, period: second, by: path, sync: cluster } }
`,
})

async function underChaos(
  { lab, virtualIps: [virtualIp] }: LabDeployment,
  plan: readonly PlannedFault[],
  signal: AbortSignal,
  onFault: ChaosRun['onFault'],
): Promise<ChaosReport> {
  const { hosts } = lab
  if (!(await becomesSettled(hosts, virtualIp!)))
    throw new Error('the cluster does not serve after its deployment')
  const since = performance.now()
  const watch = watchAddress(hosts, virtualIp!)
  const load = startSteadyLoad(virtualIp!, { clients, timeout: requestTimeout })
  const faults: MadeFault[] = []
  for (const planned of plan) {
    await sleep(planned.quiet, undefined, { signal }).catch(() => {})
    if (signal.aborted) break
    const host = hosts[planned.host]!
    const made = await makeFault(planned, { lab, host, virtualIp: virtualIp!, seed: planned.seed })
    faults.push(made)
    onFault(made, since)
    if (made.settled === undefined) break
  }
  const { sent, failures } = await load.stop()
  watch.stop()
  const verdict = judge(faults, sent, watch.moves, faultKinds)
  const shift = (at: number) => at - since
  const began = Date.now() - (performance.now() - since)
  return {
    duration: performance.now() - since,
    requests: sent.length,
    failures: failures.length,
    moves: watch.moves.length,
    faults: faults.map((fault, index) => ({
      ...fault,
      from: shift(fault.from),
      healing: shift(fault.healing),
      undone: shift(fault.undone),
      settled: fault.settled && shift(fault.settled),
      failures: verdict.failuresOf[index]!,
    })),
    violations: await Promise.all(
      verdict.violations.map(async ({ at, text }, index) => ({
        at: shift(at),
        text,
        logs: index < mostLogged ? await logsAround(hosts, began + shift(at)) : [],
      })),
    ),
  }
}

/** Violations whose logs are shown: others come of the same. */
const mostLogged = 5

async function makeFault(
  { kind, lasting }: PlannedFault,
  victim: Parameters<(typeof faultKinds)[keyof typeof faultKinds]['make']>[0],
): Promise<MadeFault> {
  const from = performance.now()
  let healing = from
  try {
    const fault = await faultKinds[kind].make(victim)
    await sleep(lasting)
    healing = performance.now()
    await fault.undo()
  } catch (error) {
    const facts = { kind, host: victim.host.name, from, healing }
    return { ...facts, undone: performance.now(), settled: undefined, error: (error as Error).message }
  }
  const undone = performance.now()
  const isWhole = await becomesSettled(victim.lab.hosts, victim.virtualIp)
  const facts = { kind, host: victim.host.name, from, healing, undone }
  return { ...facts, settled: isWhole ? performance.now() : undefined }
}

async function becomesSettled(...cluster: Parameters<typeof isSettled>): Promise<boolean> {
  const end = performance.now() + settleLimit
  while (performance.now() < end) {
    if (await isSettled(...cluster)) return true
  }
  return false
}
