import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { findProgram, installPackages, missingPrograms } from '../process/system-programs.ts'

const run = promisify(execFile)

/** Where the programs are that a benchmark needs. */
export interface Tools {
  readonly nginx: string
  readonly wrk: string
  readonly taskset: string
  /** Only for HTTP/2. */
  readonly h2load?: string
  readonly haproxy?: string
  readonly caddy?: string
  /** Only for plugins that count over a cluster. */
  readonly redis?: string
}

/** Why a benchmark cannot run on this machine. */
export class Skipped extends Error {}

/** Installed when they are missing; the others are used where they are. */
const packages = { nginx: 'nginx-light', wrk: 'wrk', taskset: 'util-linux' } as const
const names = Object.keys(packages) as (keyof typeof packages)[]

/** Finds the tools, and installs what is missing with apt where this user may; throws Skipped elsewhere. */
export async function findTools(): Promise<Tools> {
  if (process.platform !== 'linux') throw new Skipped('it measures with /proc, which only Linux has')
  if (availableParallelism() < 2) throw new Skipped('it needs two cores: one for the proxy, one for the load')
  const missing = await missingPrograms(names)
  if (missing.length > 0) {
    await installPackages(missing.map((name) => packages[name])).catch((error: Error) => {
      throw new Skipped(error.message)
    })
  }
  const stillMissing = await missingPrograms(names)
  if (stillMissing.length > 0) throw new Skipped(`${stillMissing.join(' and ')} cannot be had here`)
  const [nginx, wrk, taskset] = await Promise.all([
    findProgram('nginx'),
    findProgram('wrk'),
    findProgram('taskset'),
  ])
  const [h2load, haproxy, caddy, redis] = await Promise.all([
    findProgram('h2load'),
    findProgram('haproxy'),
    findProgram('caddy'),
    findProgram('redis-server'),
  ])
  return {
    nginx: nginx!,
    wrk: wrk!,
    taskset: taskset!,
    ...(h2load && { h2load }),
    ...(haproxy && { haproxy }),
    ...(caddy && { caddy }),
    ...(redis && { redis }),
  }
}

/** The first line that a program says about its version. */
export async function versionOf(path: string, argument: string): Promise<string> {
  const { stdout, stderr } = await run(path, [argument], { timeout: 5_000 }).catch((error) => error)
  return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0] ?? ''
}
