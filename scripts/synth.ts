import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type SynthesizedEnvironment, synthesizeEnvironments } from './synth/synthesize.ts'
import { seconds } from './terminal/progress.ts'
import { table } from './terminal/table.ts'

const usage = `npm run synth [-- NAME… OPTIONS]

  Writes cdktf.out/stacks/NAME/cdk.tf.json for every environment, or for those that are named.

  --stats   also print how long it took, and how much memory
  --json    print for programs
  --help    this text
`

/** A column an environment, a row a kind of resource. */
function countTable(environments: readonly SynthesizedEnvironment[]): string {
  const kinds = [...new Set(environments.flatMap(({ counts }) => [...counts.keys()]))].sort()
  const row = (kind: string) => [kind, ...environments.map(({ counts }) => String(counts.get(kind) ?? '·'))]
  const total = (counts: ReadonlyMap<string, number>) =>
    [...counts.values()].reduce((sum, count) => sum + count, 0)
  return table(
    ['resource', ...environments.map(({ name }) => name)],
    [
      ['(target)', ...environments.map(({ target }) => target)],
      ...kinds.map(row),
      ['(all)', ...environments.map(({ counts }) => String(total(counts)))],
    ],
  )
}

/** From the start of the process, and its peak resident set (getrusage(2), in KiB). */
const stats = () => ({
  milliseconds: Math.round(performance.now()),
  peakMebibytes: Math.round(process.resourceUsage().maxRSS / 1_024),
})

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      stats: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return usage
  const outdir = process.env.CDKTF_OUTDIR ?? 'cdktf.out'
  const environments = synthesizeEnvironments({
    outdir,
    ...(positionals.length > 0 && { names: positionals }),
  })
  if (values.json) {
    const plain = environments.map(({ counts, ...rest }) => ({
      ...rest,
      resources: Object.fromEntries(counts),
    }))
    return `${JSON.stringify({ environments: plain, ...(values.stats && { stats: stats() }) }, null, 2)}\n`
  }
  const text = `${countTable(environments)}\n\n  Wrote ${join(outdir, 'stacks/NAME/cdk.tf.json')}.\n`
  const { milliseconds, peakMebibytes } = stats()
  return values.stats
    ? `${text}  ${seconds(milliseconds)} from start to end, ${peakMebibytes} MiB at the peak.\n`
    : text
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`synth: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
