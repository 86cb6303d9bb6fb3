import { styleText } from 'node:util'
import { type Command, InvalidArgumentError } from 'commander'
import { type LoadedConfiguration, loadConfiguration } from '../config/index.ts'
import { balanceCheck } from './doctor/balance-check.ts'
import { certificateOrderChecks } from './doctor/certificate-order-checks.ts'
import type { Check, Finding, NodeStatus, Surroundings } from './doctor/check.ts'
import { configurationChecks } from './doctor/configuration-checks.ts'
import { hostChecks } from './doctor/host-checks.ts'
import { networkChecks } from './doctor/network-checks.ts'
import { peerChecks } from './doctor/peer-checks.ts'
import { prerequisiteChecks } from './doctor/prerequisite-checks.ts'
import { storageChecks } from './doctor/storage-checks.ts'
import { storeChecks } from './doctor/store-checks.ts'
import { systemAt } from './doctor/system.ts'
import { findRunningGateway } from './gateway-access.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'

const checks: readonly Check[] = [
  ...configurationChecks,
  ...prerequisiteChecks,
  ...certificateOrderChecks,
  ...hostChecks,
  ...networkChecks,
  ...storageChecks,
  ...peerChecks,
  ...storeChecks,
  balanceCheck,
]

interface DoctorOptions {
  readonly only?: readonly string[]
  readonly vip?: string
  readonly nodes?: readonly string[]
}

const list = (text: string) => text.split(',').map((item) => item.trim())

function knownChecks(text: string): string[] {
  const unknown = list(text).find((id) => !checks.some((check) => check.id === id))
  if (unknown === undefined) return list(text)
  throw new InvalidArgumentError(
    `there is no check ${unknown}; there are ${checks.map(({ id }) => id).join(', ')}`,
  )
}

/** `doctor`: all that may be wrong with this node, each with what to do. Exit code 1 where something fails. */
export function addDoctorCommand(program: Command): void {
  const doctor = program
    .command('doctor')
    .description('check the host, the network, the configuration and what the gateway talks to')
    .option('--only <list>', 'these checks alone, by their ids', knownChecks)
    .option('--vip <address>', 'virtual IP that DNS names should lead to')
    .option(
      '--nodes <list>',
      'status ports of all nodes, http://10.0.0.1:9090,…, to see how evenly requests come',
      list,
    )
  addGlobalOptions(doctor).action(async () => {
    const settings = settingsOf(doctor)
    const { only, vip, nodes = [] } = doctor.opts<DoctorOptions>()
    const surroundings = { ...(await look(settings)), virtualIp: vip, nodes }
    const chosen = checks.filter(({ id }) => only === undefined || only.includes(id))
    const results = await Promise.all(chosen.map((check) => examine(check, surroundings)))
    process.stdout.write(
      settings.json ? `${JSON.stringify(forPrograms(results), null, 2)}\n` : forPeople(results),
    )
    if (results.some(({ findings }) => findings.some(({ result }) => result === 'fail'))) process.exitCode = 1
  })
}

async function look(settings: Settings): Promise<Omit<Surroundings, 'virtualIp' | 'nodes'>> {
  let loaded: LoadedConfiguration | undefined
  let problem: string | undefined
  try {
    loaded = loadConfiguration(settings.configFolder)
  } catch (error) {
    problem = (error as Error).message
  }
  const gateway = await findRunningGateway(settings).catch(() => undefined)
  const status = (await gateway?.request('GET', '/status').catch(() => undefined)) as NodeStatus | undefined
  return { system: systemAt(), loaded, problem, status }
}

interface Result {
  readonly check: Check
  readonly findings: readonly Finding[]
}

/** A check that fails itself tells so, and stops no other. */
async function examine(check: Check, surroundings: Surroundings): Promise<Result> {
  try {
    const found = await check.run(surroundings)
    return { check, findings: 'result' in found ? [found] : found }
  } catch (error) {
    return {
      check,
      findings: [{ result: 'unseen', reason: `it could not be checked: ${(error as Error).message}` }],
    }
  }
}

const forPrograms = (results: readonly Result[]) => ({
  checks: results.map(({ check, findings }) => ({ id: check.id, title: check.title, findings })),
})

const signs = {
  pass: ['✓', 'green'],
  warn: ['!', 'yellow'],
  fail: ['✗', 'red'],
  unseen: ['?', 'gray'],
} as const

function forPeople(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ check }) => check.title.length))
  const lines = results.flatMap(({ check, findings }) =>
    findings.flatMap(({ result, reason, mend }, index) => {
      const [sign, color] = signs[result]
      const title = (index === 0 ? check.title : '').padEnd(width)
      const advice = mend === undefined ? [] : [`${' '.repeat(width + 6)}→ ${mend}`]
      return [`  ${styleText(color, sign)} ${title}  ${reason}`, ...advice]
    }),
  )
  const all = results.flatMap(({ findings }) => findings)
  const number = (result: Finding['result']) => all.filter((finding) => finding.result === result).length
  const summary = `${number('pass')} passed, ${number('warn')} warn, ${number('fail')} failed, ${number('unseen')} not seen`
  return `${lines.join('\n')}\n\n${summary}\n`
}
