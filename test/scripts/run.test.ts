import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { temporaryFolders } from '../support/temporary-folder.ts'

const run = promisify(execFile)
const folder = temporaryFolders()

/** A checkout with nothing to install, and a script that says hello. */
async function emptyCheckout(): Promise<string> {
  const root = await folder()
  await mkdir(join(root, 'scripts'))
  await cp(join(import.meta.dirname, '../../scripts/run.mjs'), join(root, 'scripts/run.mjs'))
  await writeFile(join(root, 'scripts/hello.ts'), "process.stdout.write('hello')\n")
  const manifest = { name: 'empty', version: '1.0.0' }
  await writeFile(join(root, 'package.json'), JSON.stringify(manifest))
  const lockfile = { ...manifest, lockfileVersion: 3, packages: { '': manifest } }
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(lockfile))
  await mkdir(join(root, 'node_modules'))
  return root
}

const hello = (root: string) => run(process.execPath, [join(root, 'scripts/run.mjs'), 'hello'])

test('scripts that are started at once install once, and both run', async () => {
  const root = await emptyCheckout()
  const both = await Promise.all([hello(root), hello(root)])
  expect(both.map(({ stdout }) => stdout)).toEqual(['hello', 'hello'])
  expect(both.filter(({ stderr }) => stderr.includes('Installing'))).toHaveLength(1)
  expect(await readdir(root)).not.toContain('.installing')
})

test('an installation that was cut off is done again', async () => {
  const root = await emptyCheckout()
  const gone = run(process.execPath, ['--version'])
  await gone
  await writeFile(join(root, '.installing'), String(gone.child.pid))
  expect((await hello(root)).stdout).toBe('hello')
})
