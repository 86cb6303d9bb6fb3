import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { changeProject, type ProjectChange } from './engines/change-project.ts'

const usage = `npm run change-to-cdktn -- FOLDER [OPTIONS]

  Changes a project in TypeScript or JavaScript from cdktf to CDK Terrain: imports, and dependencies in package.json.
  cdktf.json, cdktf.out and the state stay as they are. Commit first, so that you can look at the difference.

  --check   only say what would change; ends with 1 where something would
  --help    this text
`

function report({ files, unpinned }: ProjectChange, check: boolean): string {
  if (files.length === 0) return '  Nothing here imports cdktf.\n'
  const lines = files.map((file) => `  ${check ? 'would change' : 'changed'} ${file}`)
  const next = [
    'npm install',
    ...(unpinned.length > 0 ? [`choose a version of ${unpinned.join(', ')} in package.json`] : []),
    'cdktn get, where bindings are generated (.gen)',
    'cdktn diff: it should show no change',
  ]
  return `${[...lines, '', `  Next: ${next.join('; ')}.`].join('\n')}\n`
}

function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { check: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return usage
  const [folder, ...more] = positionals
  if (folder === undefined || more.length > 0) throw new Error(`expected one folder\n\n${usage}`)
  const project = resolve(folder)
  if (!existsSync(join(project, 'package.json'))) throw new Error(`${project} has no package.json`)
  const change = changeProject(project, { write: !values.check })
  if (values.check && change.files.length > 0) process.exitCode = 1
  return report(change, values.check)
}

try {
  process.stdout.write(run())
} catch (error) {
  process.stderr.write(`change-to-cdktn: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
