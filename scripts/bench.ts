import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { markdown, resultTable } from './bench/report.ts'
import { benchRouter, routerTable } from './bench/router.ts'
import { bench } from './bench/run.ts'
import { findTools, Skipped } from './bench/tools.ts'
import { buildGateway } from './build/bundle.ts'
import { root } from './process/tool.ts'
import { step } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const usage = `npm run bench [-- OPTIONS]

  Runs the gateway and nginx in turn on the same core, with the same work, and compares what a request costs.

  --rounds N     measured rounds for each; 5
  --seconds S    length of a round; 4
  --json         print JSON
  --write        also write docs/benchmarks/nginx.md and nginx.json
  --profile DIR  leave a CPU profile of each of the gateway's threads there
  --router       only compare the router with 100,000 routes to one with ten; needs no nginx
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
    router: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function wholeNumber(option: 'rounds' | 'seconds', max: number): number {
  const value = Number(values[option])
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new Error(`--${option} ${values[option]}: expected a whole number from 1 to ${max}`)
}

async function main(): Promise<void> {
  const rounds = wholeNumber('rounds', 100)
  const seconds = wholeNumber('seconds', 600)
  if (values.router) {
    const report = await step('Compare the router', () => benchRouter(rounds))
    const { head, rows } = routerTable(report)
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `\n${table(head, rows)}\n`)
    return
  }
  const tools = await findTools()
  await step('Build the gateway', buildGateway)
  const report = await bench({
    tools,
    rounds,
    seconds,
    ...(values.profile && { profileDirectory: values.profile }),
    onRound: (round, { name }) => process.stderr.write(`  round ${round} of ${rounds}: ${name}\n`),
  })
  const { head, rows } = resultTable(report)
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `\n${table(head, rows)}\n`)
  if (values.write) {
    const directory = join(root, 'docs/benchmarks')
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'nginx.md'), markdown(report))
    await writeFile(join(directory, 'nginx.json'), `${JSON.stringify(report, null, 2)}\n`)
  }
}

try {
  if (values.help) process.stdout.write(usage)
  else await main()
} catch (error) {
  if (error instanceof Skipped) process.stdout.write(`skipped: ${error.message}\n`)
  else {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
