import { existsSync } from 'node:fs'
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
  crun: 'crun',
  'qemu-aarch64-static': 'qemu-user-static',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
} as const

/** What tests read, with its Debian package. */
const data = { '/usr/share/modsecurity-crs/owasp-crs.load': 'modsecurity-crs' } as const

/** A program of the system that tests run. */
export type TestProgram = keyof typeof packages

/** Installs what is missing where this user may; elsewhere the tests that need it are skipped and say so. */
export async function installTestPrograms(): Promise<void> {
  const programs = await missingPrograms(Object.keys(packages) as TestProgram[])
  const files = Object.entries(data).filter(([path]) => !existsSync(path))
  const missing = [...programs.map((name) => packages[name]), ...files.map(([, name]) => name)]
  if (missing.length > 0) await installPackages(missing).catch(() => {})
}
