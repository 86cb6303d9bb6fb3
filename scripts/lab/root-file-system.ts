import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

/** What a host has besides the packages that are essential. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'iptables', 'iproute2', 'procps', 'openssl', 'kmod', 'sudo'],
  ...['ca-certificates', 'curl', 'logrotate', 'modsecurity-crs', 'xfsprogs', 'openssh-server'],
]

/** What roles and drills take from the distribution: a host has no way to the Internet, and finds them in a folder of its own. */
const offered = ['haproxy', 'keepalived', 'redis-server', 'redis-tools', 'bind9-dnsutils', 'libfaketime']
const archive = '/opt/debian'

/** A hook of mmdebstrap(1): downloads what is offered, with all that it needs, into the archive. */
const download = [
  'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get clean',
  `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes --no-install-recommends --download-only install ${offered.join(' ')}`,
  `mkdir -p "$1${archive}"`,
  `mv "$1"/var/cache/apt/archives/*.deb "$1${archive}/"`,
].join(' && ')

/**
 * A folder with the file system of a bare Debian host, which hosts share and none changes. Made by mmdebstrap, once for
 * a list of packages (a minute with download), below `cache`; what a run that was cut off has left is deleted.
 */
export async function rootFileSystem(cache: string): Promise<string> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const digest = createHash('sha256')
    .update([release, ...packages, download].join(' '))
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
  await run('mmdebstrap', [...flags, `--customize-hook=${download}`, release, made], 300_000)
  await writeArchive(made)
  // Each host makes its own; equal ones would let one pose as another.
  for (const path of ['etc/machine-id', ...(await hostKeys(made))])
    await rm(join(made, path), { force: true })
  // Another process may have made it meanwhile: its own is as good.
  await rename(made, folder).catch(async (error: NodeJS.ErrnoException) => {
    await rm(made, { recursive: true, force: true })
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
  })
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

/** Makes the archive a repository of apt, and the only one. It has no signature: it comes with the file system. */
async function writeArchive(root: string): Promise<void> {
  const folder = join(root, archive)
  const files = (await readdir(folder)).filter((name) => name.endsWith('.deb')).sort()
  const entries = await Promise.all(
    files.map(async (name) => {
      const content = await readFile(join(folder, name))
      const facts = [
        (await run('dpkg-deb', ['--field', join(folder, name)])).trim(),
        `Filename: ./${name}`,
        `Size: ${content.length}`,
        `SHA256: ${createHash('sha256').update(content).digest('hex')}`,
      ]
      return `${facts.join('\n')}\n`
    }),
  )
  await writeFile(join(folder, 'Packages'), entries.join('\n'))
  await writeFile(join(root, 'etc/apt/sources.list'), `deb [trusted=yes] file:${archive} ./\n`)
}
