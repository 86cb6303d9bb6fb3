import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { faultKinds } from './chaos/faults.ts'
import { planOf } from './chaos/plan.ts'
import { planText, reportText } from './chaos/report.ts'
import { runChaos } from './chaos/run.ts'
import { layouts } from './lab/environment.ts'
import { prepareForLab } from './lab/requirements.ts'
import { findProgram } from './process/system-programs.ts'
import { seconds } from './terminal/progress.ts'

const usage = `npm run chaos -- [OPTIONS]

  Deploys a cluster to three Debian hosts that are booted on this Linux machine, and does to it, under steady load, what
  happens to clusters: power cuts, pulled cables, killed servers, bad networks, full disks. Every request is accounted for;
  what fails must be within the promise of a fault (docs/reliability.md). Exit code 1 after a violation, which the report
  shows with the logs of the hosts.

  --seed N      the same seed does the same things; a random one
  --minutes M   how long, from 0.5 to 1440; 5
  --plan        print what would be done, and do nothing
  --json        print the report, or the plan, as JSON
  --help        this text
`
const largestSeed = 2 ** 32 - 1

function numberOf(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max) return value
  throw new Error(`--${option} ${text}: expected a number from ${min} to ${max}`)
}

async function prepare(): Promise<void> {
  await prepareForLab()
  if (!(await findProgram('terraform')))
    throw new Error('terraform is not installed, and the cluster is deployed by it')
}

/** The first Ctrl-C ends the run in order; the lab is taken down, and the report tells what was until then. */
function endOnSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '5' },
      plan: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const seed = Math.floor(
    values.seed === undefined ? randomInt(largestSeed) : numberOf('seed', values.seed, 0, largestSeed),
  )
  const plan = planOf(seed, numberOf('minutes', values.minutes, 0.5, 1_440), layouts.one.length)
  const print = (value: unknown, text: string) =>
    process.stdout.write(values.json ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`)
  if (values.plan) return void print({ seed, plan }, `\n  seed ${seed}\n\n${planText(plan)}\n`)
  await prepare()
  process.stderr.write(`  seed ${seed}: ${plan.length} faults\n`)
  const report = await runChaos({
    plan,
    signal: endOnSignal(),
    onFault: ({ kind, host, from, settled }, since) =>
      process.stderr.write(
        `  ${seconds(from - since)} ${faultKinds[kind].title}, ${host}${settled === undefined ? ': not whole again' : ''}\n`,
      ),
  })
  print({ seed, ...report }, `\n  seed ${seed}\n${reportText(report)}`)
  if (report.violations.length > 0) process.exitCode = 1
}

await main().catch((error: Error) => {
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
})
