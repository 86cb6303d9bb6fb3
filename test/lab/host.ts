import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../../scripts/process/system-programs.ts'
import { eventually } from '../support/eventually.ts'

const run = promisify(execFile)

/** What a host has besides the packages that are essential. */
const packages =
  'systemd,systemd-sysv,dbus,iptables,iproute2,procps,openssl,kmod,ca-certificates,curl,logrotate,modsecurity-crs,xfsprogs,udev'
const archive = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gatehouse/lab-host.tar')

export interface CommandResult {
  readonly code: number
  readonly output: string
}

/** A Debian host of its own: it boots with systemd and has a network that only this machine sees. */
export interface LabHost {
  /** Its address, and that of this machine as it sees it. */
  readonly address: string
  readonly neighbour: string
  /** Runs a script of bash as root; resolves with its exit code and all it wrote. */
  sh(script: string): Promise<CommandResult>
  /** Folder of its file system on this machine. */
  readonly root: string
  stop(): Promise<void>
}

/** Why hosts cannot be booted here; undefined where they can. */
export async function whyNoHosts(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of ['mmdebstrap', 'systemd-nspawn', 'ip', 'nsenter']) {
    if (!(await findProgram(program))) return `${program} is not installed`
  }
  return undefined
}

/** A tar of the host's file system, made once (half a minute) and kept in the cache. */
async function hostArchive(): Promise<string> {
  if (
    await readFile(`${archive}.packages`, 'utf8').then(
      (made) => made === packages,
      () => false,
    )
  )
    return archive
  await mkdir(join(archive, '..'), { recursive: true })
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const made = `${archive}.${process.pid}.tar`
  await run('mmdebstrap', ['--variant=apt', `--include=${packages}`, release, made], { timeout: 240_000 })
  await rename(made, archive)
  await writeFile(`${archive}.packages`, packages)
  return archive
}

/** Boots a host; `subnet`: the third octet of its network, of which there must be one host at a time. */
export async function bootHost(subnet: number): Promise<LabHost> {
  const source = await hostArchive()
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-lab-'))
  const root = join(folder, 'root')
  const name = `gh-lab-${process.pid}`
  const [neighbour, address] = [`10.231.${subnet}.1`, `10.231.${subnet}.2`]
  const outside = `gh${process.pid % 100_000}`
  await mkdir(root)
  await run('tar', ['--extract', '--file', source, '--directory', root], { timeout: 120_000 })
  const ip = (line: string) => run('ip', line.split(' '))
  await ip(`netns add ${name}`)
  await ip(`link add ${outside} type veth peer name eth0 netns ${name}`)
  await ip(`addr add ${neighbour}/24 dev ${outside}`)
  await ip(`link set ${outside} up`)
  await ip(`-n ${name} addr add ${address}/24 dev eth0`)
  await ip(`-n ${name} link set eth0 up`)
  await ip(`-n ${name} link set lo up`)
  const flags = ['--quiet', '--register=no', '--keep-unit', '--boot', '--capability=all', '-D', root]
  const container = spawn('systemd-nspawn', [...flags, `--network-namespace-path=/run/netns/${name}`], {
    env: { ...process.env, SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'yes' },
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const sh = async (script: string) => {
    const args = ['--target', `${await initOf(container)}`, '--all', '--', '/bin/bash', '-c', script]
    return enter(args)
  }
  const stop = async () => {
    if (container.exitCode === null) {
      const ended = once(container, 'exit')
      container.kill('SIGTERM') // nspawn tells the host to power off
      const timer = setTimeout(() => container.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(timer)
    }
    await ip(`netns delete ${name}`).catch(() => {})
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await eventually(
      'the host to boot',
      async () => (await sh('systemctl is-system-running --wait')).output.match(/running|degraded/),
      90_000,
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { address, neighbour, root, sh, stop }
}

/** The process 1 of the host, as this machine numbers it. */
async function initOf({ pid }: ChildProcess): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return Number(children.trim().split(' ')[0])
}

function enter(args: readonly string[]): Promise<CommandResult> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  return new Promise((resolve) => {
    execFile('nsenter', args, { env, timeout: 180_000, maxBuffer: 16_777_216 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` }),
    )
  })
}
