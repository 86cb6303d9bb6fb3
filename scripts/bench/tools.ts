import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { step } from '../terminal/progress.ts'

const run = promisify(execFile)

/** Where the programs are that a benchmark needs. */
export interface Tools {
  readonly nginx: string
  readonly wrk: string
  readonly taskset: string
}

/** Why a benchmark cannot run on this machine. */
export class Skipped extends Error {}

const packages = { nginx: 'nginx-light', wrk: 'wrk', taskset: 'util-linux' } as const
const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']

/** Finds the tools, and installs what is missing with apt where this user may; throws Skipped elsewhere. */
export async function findTools(): Promise<Tools> {
  if (process.platform !== 'linux') throw new Skipped('it measures with /proc, which only Linux has')
  if (availableParallelism() < 2) throw new Skipped('it needs two cores: one for the proxy, one for the load')
  const missing = await missingTools()
  if (missing.length > 0) await install(missing.map((name) => packages[name]))
  const stillMissing = await missingTools()
  if (stillMissing.length > 0) throw new Skipped(`${stillMissing.join(' and ')} cannot be had here`)
  const [nginx, wrk, taskset] = await Promise.all([find('nginx'), find('wrk'), find('taskset')])
  return { nginx: nginx!, wrk: wrk!, taskset: taskset! }
}

async function missingTools(): Promise<(keyof typeof packages)[]> {
  const names = Object.keys(packages) as (keyof typeof packages)[]
  const paths = await Promise.all(names.map(find))
  return names.filter((_, index) => !paths[index])
}

async function find(name: string): Promise<string | undefined> {
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

async function install(names: readonly string[]): Promise<void> {
  const apt = await find('apt-get')
  if (!apt || process.getuid?.() !== 0) {
    throw new Skipped(`${names.join(' and ')} are not installed, and only root can install them with apt-get`)
  }
  // RUNLEVEL=1: the packages do not start a service of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  await step(`Install ${names.join(', ')} with apt-get`, async () => {
    await run(apt, ['update', '--quiet'], { env, timeout: 120_000 })
    await run(apt, ['install', '--yes', '--no-install-recommends', ...names], { env, timeout: 300_000 })
  }).catch((error: { stderr?: string; message: string }) => {
    throw new Skipped(`apt-get failed: ${error.stderr?.trim().split('\n').at(-1) ?? error.message}`)
  })
}

/** The first line that a program says about its version. */
export async function versionOf(path: string, argument: string): Promise<string> {
  const { stdout, stderr } = await run(path, [argument], { timeout: 5_000 }).catch((error) => error)
  return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0] ?? ''
}
