import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readPrices } from './plan/prices.ts'
import { planOf, renderPlan } from './plan/report.ts'
import { readStackGraph } from './plan/stack-graph.ts'
import { synthesizeEnvironments } from './synth/synthesize.ts'

const usage = `npm run plan [-- NAME… OPTIONS]

  Shows what each environment on AWS would create, grouped for people, and the bounds of what it costs a month.
  Neither Terraform nor credentials are needed. What differs from what is there already, \`cdktf diff NAME\` shows.

  --json    print for programs
  --help    this text
`

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return usage
  const outdir = mkdtempSync(join(tmpdir(), 'gateway-plan-'))
  try {
    const environments = synthesizeEnvironments({
      outdir,
      ...(positionals.length > 0 && { names: positionals }),
    })
    const stacks = environments.filter(({ target }) => target === 'aws')
    if (stacks.length === 0) throw new Error(`none of these is on AWS: ${positionals.join(', ')}`)
    const prices = readPrices()
    const plans = stacks.map(({ name, file }) => planOf(readStackGraph(name, file), prices))
    if (values.json) return `${JSON.stringify({ prices: prices.date, plans }, null, 2)}\n`
    return plans.map((plan) => renderPlan(plan, prices)).join('\n')
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`plan: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
