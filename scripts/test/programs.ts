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
  promtool: 'prometheus',
  named: 'bind9',
  crun: 'crun',
  'qemu-aarch64-static': 'qemu-user-static',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
} as const

/** A program of the system that tests run. */
export type TestProgram = keyof typeof packages

/** Installs what is missing where this user may; elsewhere the tests that need it are skipped and say so. */
export async function installTestPrograms(): Promise<void> {
  const missing = await missingPrograms(Object.keys(packages) as TestProgram[])
  if (missing.length === 0) return
  await installPackages(missing.map((name) => packages[name])).catch(() => {})
}
