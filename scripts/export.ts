import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { stackFolder } from './export/stack-folder.ts'
import { synthesizeEnvironments } from './synth/synthesize.ts'

const usage = `npm run export -- NAME… [OPTIONS]

  Writes a folder for each stack of an environment that Terraform or OpenTofu deploys on its own: neither this repository
  nor cdktf nor Node.js is needed from there on.

  --out DIR   folder for the folders; dist/terraform
  --json      print for programs
  --help      this text
`

interface Exported {
  readonly name: string
  readonly directory: string
  readonly files: readonly string[]
}

/** All is rendered before the first file is written: what fails leaves the folders as they were. */
function exportStacks(names: readonly string[], out: string): Exported[] {
  const outdir = mkdtempSync(join(tmpdir(), 'gateway-export-'))
  try {
    const folders = synthesizeEnvironments({ outdir, names }).map(({ name, file }) => ({
      name,
      directory: join(out, name),
      files: stackFolder(name, readFileSync(file, 'utf8')),
    }))
    return folders.map(({ name, directory, files }) => {
      rmSync(join(directory, 'assets'), { recursive: true, force: true })
      for (const [file, content] of files) {
        mkdirSync(dirname(join(directory, file)), { recursive: true })
        writeFileSync(join(directory, file), content)
      }
      return { name, directory, files: [...files.keys()].sort() }
    })
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'dist/terraform' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return usage
  if (positionals.length === 0) throw new Error(`expected the name of an environment\n\n${usage}`)
  const exported = exportStacks(positionals, values.out)
  if (values.json) return `${JSON.stringify({ stacks: exported }, null, 2)}\n`
  const lines = exported.map(
    ({ directory, files }) => `  Wrote ${relative('.', directory)}: ${files.join(', ')}`,
  )
  return `${lines.join('\n')}\n\n  Next: terraform -chdir=${relative('.', exported[0]!.directory)} init\n`
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`export: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
