import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawStack } from './diagram/draw.ts'
import { readStackGraph } from './plan/stack-graph.ts'
import { synthesizeEnvironments } from './synth/synthesize.ts'

const usage = `npm run diagram [-- NAME… OPTIONS]

  Draws each environment on AWS as it would be deployed, from its synthesized stack: cdktf.out/diagrams/NAME.svg.

  --out DIRECTORY   where pictures are put
  --help            this text
`

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: 'string' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return usage
  const outdir = process.env.CDKTF_OUTDIR ?? 'cdktf.out'
  const directory = values.out ?? join(outdir, 'diagrams')
  const environments = synthesizeEnvironments({
    outdir,
    ...(positionals.length > 0 && { names: positionals }),
  })
  const stacks = environments.filter(({ target }) => target === 'aws')
  if (stacks.length === 0) throw new Error(`none of these is on AWS: ${positionals.join(', ')}`)
  const files = stacks.map(({ name, file }) => {
    const path = join(directory, `${name}.svg`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, drawStack(readStackGraph(name, file)))
    return `  Wrote ${path}\n`
  })
  return files.join('')
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`diagram: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
