import { existsSync } from 'node:fs'
import { missingPackages } from '../lab/requirements.ts'
import { installPackages, missingPrograms } from '../process/system-programs.ts'

/** Clients, servers and scanners that tests put in front of and behind the gateway, with their Debian packages. */
const packages = {
  curl: 'curl',
  wrk: 'wrk',
  h2load: 'nghttp2-client',
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  keepalived: 'keepalived',
  slowhttptest: 'slowhttptest',
  testssl: 'testssl.sh',
  pg_createcluster: 'postgresql',
  'redis-server': 'redis-server',
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  lintian: 'lintian',
  shellcheck: 'shellcheck',
  iptables: 'iptables',
  promtool: 'prometheus',
  named: 'bind9',
  nsupdate: 'bind9-dnsutils',
  gpg: 'gpg',
  'gpg-agent': 'gpg-agent',
  gpgv: 'gpgv',
  ar: 'binutils',
  'mkfs.ext4': 'e2fsprogs',
  openssl: 'openssl',
  perl: 'perl',
  ps: 'procps',
  crun: 'crun',
  'qemu-aarch64-static': 'qemu-user-static',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
} as const

/** What tests read, with its Debian package. */
const data = { '/usr/share/modsecurity-crs/owasp-crs.load': 'modsecurity-crs' } as const

/** A program of the system that tests run. */
export type TestProgram = keyof typeof packages

/**
 * Installs what is missing, also for labs, where this user may; elsewhere the tests that need it are skipped and say so.
 * A package that this distribution does not have keeps none of the others away.
 */
export async function installTestPrograms(): Promise<void> {
  const programs = await missingPrograms(Object.keys(packages) as TestProgram[])
  const files = Object.entries(data).filter(([path]) => !existsSync(path))
  const missing = new Set([
    ...programs.map((name) => packages[name]),
    ...files.map(([, name]) => name),
    ...(await missingPackages()),
  ])
  if (missing.size === 0) return
  await installPackages([...missing]).catch(async (error: Error) => {
    process.stderr.write(`${error.message}\n`)
    for (const name of missing) await installPackages([name]).catch(() => {})
  })
}
