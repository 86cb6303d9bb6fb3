import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostRecord } from './record.ts'
import { ip, run } from './run.ts'

export interface CommandResult {
  readonly code: number
  readonly output: string
}

const bootLimit = 120_000
const stopLimit = 20_000

/** Lays the file system of a host over the shared one, with keys of its own and the lab's key for root. */
export async function mountRoot(host: HostRecord, shared: string, authorizedKey: string): Promise<void> {
  const folder = join(host.root, '..')
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')]
  for (const each of [upper, work, host.root]) mkdirSync(each, { recursive: true })
  const options = `lowerdir=${shared},upperdir=${upper},workdir=${work}`
  await run('mount', ['-t', 'overlay', 'overlay', '-o', options, host.root])
  const inside = (path: string) => join(host.root, path)
  writeFileSync(inside('etc/hostname'), `${host.name}\n`)
  writeFileSync(inside('etc/hosts'), `127.0.0.1 localhost\n${host.address} ${host.name}\n::1 localhost\n`)
  // Addresses are given from outside: what waits for a network would wait for two minutes.
  symlinkSync('/dev/null', inside('etc/systemd/system/systemd-networkd-wait-online.service'))
  mkdirSync(inside('root/.ssh'), { recursive: true, mode: 0o700 })
  writeFileSync(inside('root/.ssh/authorized_keys'), authorizedKey, { mode: 0o600 })
  for (const type of hostKeyTypes) {
    const key = inside(`etc/ssh/ssh_host_${type}_key`)
    await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', host.name, '-f', key])
    chmodSync(key, 0o600)
  }
}

/** Two of those that every Debian host has: clients choose, and not all choose alike. */
const hostKeyTypes = ['ecdsa', 'ed25519'] as const

/** Public key of its SSH server, of the type that Terraform chooses: `ecdsa-sha2-nistp256 AAAA…`. */
export const hostKeyOf = ({ root }: HostRecord) =>
  readFileSync(join(root, 'etc/ssh/ssh_host_ecdsa_key.pub'), 'utf8').split(' ').slice(0, 2).join(' ').trim()

/** Boots systemd in the namespace of the host; it goes on when this process ends. Resolves once it was started. */
export async function startHost(host: HostRecord): Promise<void> {
  const flags = ['--quiet', '--register=no', '--keep-unit', '--boot', '--capability=all']
  const place = [
    '-D',
    host.root,
    `--machine=${host.name}`,
    `--network-namespace-path=/run/netns/${host.namespace}`,
  ]
  const child = spawn('systemd-nspawn', [...flags, ...place], {
    env: { ...process.env, SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'yes' },
    stdio: 'ignore',
    detached: true,
  })
  await once(child, 'spawn')
  child.unref()
}

/** The systemd-nspawn of a host, found by the folder it runs in; undefined where the host is not up. */
export function containerOf({ root }: HostRecord): number | undefined {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
  return pids
    .sort((one, other) => one - other)
    .find((pid) => {
      const [program, ...args] = argumentsOf(pid)
      return program === 'systemd-nspawn' && args.includes(root)
    })
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // ended in between
  }
}

/** Resolves when all units of a host have started; rejects after two minutes, or when it ends before. */
export async function awaitBoot(host: HostRecord): Promise<void> {
  const deadline = performance.now() + bootLimit
  while (performance.now() < deadline) {
    if (containerOf(host) === undefined) throw new Error(`${host.name}: its systemd-nspawn has ended`)
    if (/running|degraded/.test((await runOnHost(host, 'systemctl is-system-running --wait')).output)) return
    await sleep(100)
  }
  throw new Error(`${host.name}: has not booted within ${bootLimit / 1_000} s`)
}

/** Runs a script of bash as root on a host, without its network. */
export function runOnHost(host: HostRecord, script: string): Promise<CommandResult> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  const args = ['--target', String(initOf(containerOf(host))), '--all', '--', '/bin/bash', '-c', script]
  return new Promise((resolve) => {
    execFile('nsenter', args, { env, timeout: 180_000, maxBuffer: 16_777_216 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` }),
    )
  })
}

/**
 * The same for what must succeed; resolves with all it wrote.
 * @throws Error with the name of the host and what was written
 */
export async function doOnHost(host: HostRecord, script: string): Promise<string> {
  const { code, output } = await runOnHost(host, script)
  if (code !== 0) throw new Error(`${host.name}: ${output.trim() || `exit code ${code}`}`)
  return output
}

/** The process 1 of a host, as this machine numbers it; 0 where it has none. */
function initOf(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  } catch {
    return 0
  }
}

/** Takes a host away, whatever of it there is: powered off, or cut off after 20 s. */
export async function removeHost(host: HostRecord): Promise<void> {
  await end(host)
  await run('umount', [host.root]).catch(() => {})
  await ip(`netns delete ${host.namespace}`).catch(() => {})
}

async function end(host: HostRecord): Promise<void> {
  const pid = containerOf(host)
  if (pid === undefined) return
  const gone = async (limit: number) => {
    const deadline = performance.now() + limit
    while (containerOf(host) !== undefined && performance.now() < deadline) await sleep(50)
    return containerOf(host) === undefined
  }
  kill(pid, 'SIGTERM') // nspawn tells the host to power off
  if (await gone(stopLimit)) return
  kill(initOf(pid), 'SIGKILL')
  kill(pid, 'SIGKILL')
  await gone(5_000)
}

function kill(pid: number, signal: 'SIGTERM' | 'SIGKILL') {
  if (pid <= 1) return
  try {
    process.kill(pid, signal)
  } catch {} // ended in between
}
