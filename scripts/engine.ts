import { relative } from 'node:path'
import { type Engine, installEngine } from './engines/install.ts'
import { step } from './terminal/progress.ts'

const usage = `npm run engine -- NAME

  Installs the packages of an engine, which \`npm start\` does not need: cdktn (CDK Terrain) or pulumi.
`

const [name] = process.argv.slice(2)
if (name !== 'cdktn' && name !== 'pulumi') {
  process.stderr.write(usage)
  process.exitCode = name === '--help' ? 0 : 1
} else {
  try {
    const modules = await step(`Install ${name}`, () => installEngine(name satisfies Engine))
    process.stdout.write(`  The packages are in ${relative('.', modules)}.\n`)
  } catch (error) {
    process.stderr.write(`engine: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
