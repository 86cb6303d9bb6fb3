import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { importFile } from '../constructs/pulumi/import-file.ts'

const usage = `npm run pulumi-import -- STATE --name NAME [OPTIONS]

  Writes what \`pulumi import --file\` reads, so that Pulumi goes on with what Terraform made. STATE is a
  terraform.tfstate, or "-" for what \`terraform state pull\` prints. Nothing is changed in the clouds.

  --name NAME   of the TerraformConstructs: the environment, with stacks/pulumi
  --out FILE    pulumi-import.json
  --help        this text
`

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      out: { type: 'string', default: 'pulumi-import.json' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return usage
  const [state, ...more] = positionals
  if (state === undefined || more.length > 0 || !values.name) {
    throw new Error(`expected one state, and --name\n\n${usage}`)
  }
  const { file, skipped } = importFile(readFileSync(state === '-' ? 0 : state, 'utf8'), values.name)
  writeFileSync(values.out, `${JSON.stringify(file, null, 2)}\n`)
  const left = skipped.map((place) => `  Left out, as it exists in the state alone: ${place}\n`).join('')
  return `  Wrote ${values.out} with ${file.resources.length - 1} resources.\n${left}\n  Next: pulumi import --file ${values.out} --generate-code=false --protect=false, then pulumi preview.\n`
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`pulumi-import: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
