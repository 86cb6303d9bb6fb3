import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { buildGateway } from './build/bundle.ts'
import { showProgress } from './soak/progress.ts'
import { reportText } from './soak/report.ts'
import { soak } from './soak/run.ts'
import { step } from './terminal/progress.ts'

const usage = `npm run soak [-- OPTIONS]

  Puts the built gateway under full load while its upstreams die, hang, reset and come back, clients go at every
  point, and the configuration changes; checks every byte of every answer, every error, and the gateway's memory.

  --duration TIME   length of the load: 30s, 10m, 2h; 10m
  --seed N          repeats what a run did; a random one
  --connections N   connections of clients at a time, from 1 to 1000; 40
  --json            print the report as JSON
`

const readArguments = () =>
  parseArgs({
    options: {
      duration: { type: 'string', default: '10m' },
      seed: { type: 'string' },
      connections: { type: 'string', default: '40' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values

const milliseconds = { s: 1_000, m: 60_000, h: 3_600_000 } as const

function durationOf(text: string): number {
  const match = /^(\d+)([smh])$/.exec(text)
  const time = match ? Number(match[1]) * milliseconds[match[2] as 's' | 'm' | 'h'] : 0
  if (time > 0 && time <= 7 * 24 * milliseconds.h) return time
  throw new Error(`--duration ${text}: expected a time from 1s to 168h, such as 30s, 10m or 2h`)
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`--${option} ${text}: expected a whole number from ${min} to ${max}`)
}

async function main(): Promise<void> {
  const values = readArguments()
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const largestSeed = 2 ** 32 - 1
  const options = {
    duration: durationOf(values.duration),
    seed:
      values.seed === undefined ? randomInt(largestSeed) : wholeNumber('seed', values.seed, 0, largestSeed),
    connections: wholeNumber('connections', values.connections, 1, 1_000),
  }
  await step('Build the gateway', buildGateway)
  const progress = showProgress(options.duration)
  const report = await soak({ ...options, onProgress: progress.update }).finally(progress.end)
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
  if (report.failureCount > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
