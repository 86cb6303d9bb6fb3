import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

/** What a host has besides the packages that are essential. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'iptables', 'iproute2', 'procps', 'openssl', 'kmod', 'sudo'],
  ...['ca-certificates', 'curl', 'logrotate', 'modsecurity-crs', 'xfsprogs', 'openssh-server'],
]

/**
 * A folder with the file system of a bare Debian host, which hosts share and none changes. Made by mmdebstrap, once for
 * a list of packages (a minute with download), below `cache`; what a run that was cut off has left is deleted.
 */
export async function rootFileSystem(cache: string): Promise<string> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const digest = createHash('sha256')
    .update([release, ...packages].join(' '))
    .digest('hex')
    .slice(0, 12)
  const folder = join(cache, `root-${digest}`)
  if (
    await stat(folder).then(
      () => true,
      () => false,
    )
  )
    return folder
  await mkdir(cache, { recursive: true })
  for (const name of await readdir(cache)) {
    const maker = /^root-\w+\.(\d+)$/.exec(name)?.[1]
    if (maker && !(await isRunning(maker))) await rm(join(cache, name), { recursive: true, force: true })
  }
  const made = `${folder}.${process.pid}`
  const flags = ['--variant=apt', '--format=directory', `--include=${packages.join(',')}`]
  await run('mmdebstrap', [...flags, release, made], 300_000)
  // Each host makes its own; equal ones would let one pose as another.
  for (const path of ['etc/machine-id', ...(await hostKeys(made))])
    await rm(join(made, path), { force: true })
  await rename(made, folder)
  return folder
}

const isRunning = (pid: string) =>
  stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  )

const hostKeys = async (root: string) =>
  (await readdir(join(root, 'etc/ssh')))
    .filter((name) => name.startsWith('ssh_host_'))
    .map((name) => `etc/ssh/${name}`)
