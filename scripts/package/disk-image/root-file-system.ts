import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What the image has besides the packages that are essential: a kernel for hypervisors and clouds, and cloud-init. */
const packages = [
  ...[
    'linux-image-cloud-amd64',
    'initramfs-tools',
    'systemd-sysv',
    'systemd-resolved',
    'systemd-timesyncd',
    'dbus',
    'udev',
  ],
  ...[
    'cloud-init',
    'cloud-guest-utils',
    'e2fsprogs',
    'xfsprogs',
    'openssh-server',
    'sudo',
    'ca-certificates',
  ],
  ...['iproute2', 'iptables', 'kmod', 'procps', 'openssl', 'curl', 'logrotate', 'modsecurity-crs'],
]

export const rootLabel = 'gateway-root'
const espLabel = 'GATEWAY-ESP'

/** Files over those of packages. */
const files: Readonly<Record<string, string>> = {
  'etc/fstab': `LABEL=${rootLabel} / ext4 defaults,noatime,errors=remount-ro 0 1\nLABEL=${espLabel} /boot/efi vfat umask=0077,noauto 0 0\n`,
  'etc/hostname': 'gateway\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost ip6-localhost\n',
  'etc/systemd/network/80-dhcp.network': '[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n',
  'etc/cloud/cloud.cfg.d/80-gateway.cfg': `# The network is systemd-networkd's: every card asks by DHCP.
network: { config: disabled }
datasource_list: [NoCloud, Ec2, ConfigDrive, OpenStack, None]
disable_root: true
ssh_pwauth: false
`,
  // Loaded by GRUB; the links /vmlinuz and /initrd.img follow the newest kernel that is installed.
  'boot/grub/grub.cfg': `set timeout=0
linux /vmlinuz root=LABEL=${rootLabel} ro console=tty0 console=ttyS0,115200n8 quiet
initrd /initrd.img
boot
`,
}

/** What must be another on every machine; systemd and sshd make it at the first start. */
const ofOneMachine = 'rm -f etc/ssh/ssh_host_* var/lib/dbus/machine-id && : >etc/machine-id'

/**
 * Makes the file system of the disk image in a folder: the distribution's packages and one of ours. Needs root.
 * @param package_ - path of the package `gateway-runtime`
 * @param time - newest modification time that a file has, in seconds since 1970
 * @param environment - of the programs that make it
 */
export async function makeRootFileSystem(
  folder: string,
  package_: string,
  time: number,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const hooks = [
    `--customize-hook=copy-in ${package_} /var/cache`,
    '--customize-hook=chroot "$1" sh -c "dpkg --install /var/cache/*.deb && rm /var/cache/*.deb"',
    '--customize-hook=chroot "$1" systemctl enable systemd-networkd systemd-resolved',
    `--customize-hook=cd "$1" && ${ofOneMachine}`,
  ]
  await rm(folder, { recursive: true, force: true })
  const options = ['--variant=apt', '--format=directory', `--include=${packages.join(',')}`, ...hooks]
  const env = { ...environment, DEBIAN_FRONTEND: 'noninteractive' }
  const withUmask = ['-c', 'umask 022 && exec "$@"', 'sh']
  await run('sh', [...withUmask, 'mmdebstrap', ...options, release, folder], {
    env,
    timeout: 900_000,
    maxBuffer: 16_777_216,
  }).catch((error: { stderr?: string; message: string }) => {
    const last = error.stderr?.trim().split('\n').slice(-5).join('\n')
    throw new Error(`the packages of the disk image could not be installed: ${last ?? error.message}`)
  })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
    // Whatever the umask is.
    await chmod(dirname(join(folder, path)), 0o755)
    await chmod(join(folder, path), 0o644)
  }
  const clamp = ['touch', '--no-dereference', `--date=@${time}`, '{}', '+']
  await run('find', [folder, '-newermt', `@${time}`, '-exec', ...clamp])
}

export const espName = espLabel
