import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { step } from '../terminal/progress.ts'

const run = promisify(execFile)
const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']

/** The path of a program of the system, also of those that only root has in its PATH; undefined where there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name)
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (executable) return path
  }
  return undefined
}

/** Those of these programs that are not installed. */
export async function missingPrograms<Name extends string>(names: readonly Name[]): Promise<Name[]> {
  const paths = await Promise.all(names.map(findProgram))
  return names.filter((_, index) => !paths[index])
}

/**
 * Installs Debian packages with apt-get, telling of it.
 * Rejects where this user may not, there is no apt-get, or it fails: with a message that says which.
 */
export async function installPackages(names: readonly string[]): Promise<void> {
  const apt = await findProgram('apt-get')
  if (!apt || process.getuid?.() !== 0) {
    throw new Error(`${names.join(' and ')} are not installed, and only root can install them with apt-get`)
  }
  // RUNLEVEL=1: the packages do not start a service of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const wait = ['-o', 'DPkg::Lock::Timeout=120'] // seconds, where another one installs
  await step(`Install ${names.join(', ')} with apt-get`, async () => {
    await run(apt, ['update', '--quiet'], { env, timeout: 120_000 })
    const flags = ['--yes', '--no-install-recommends', ...wait]
    await run(apt, ['install', ...flags, ...names], { env, timeout: 600_000 })
  }).catch((error: { stderr?: string; message: string }) => {
    throw new Error(`apt-get failed: ${error.stderr?.trim().split('\n').at(-1) ?? error.message}`)
  })
}
