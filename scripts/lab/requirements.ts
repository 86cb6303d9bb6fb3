import { findProgram, installPackages, missingPrograms } from '../process/system-programs.ts'

/** Programs that the lab needs, and the packages of Debian that bring them. */
const programs = {
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  'dpkg-deb': 'dpkg',
  ip: 'iproute2',
  nsenter: 'util-linux',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  python3: 'python3',
} as const

/** Packages of Debian that this machine lacks for the lab. */
export async function missingPackages(): Promise<string[]> {
  const missing = await missingPrograms(Object.keys(programs) as (keyof typeof programs)[])
  return [...new Set(missing.map((name) => programs[name]))]
}

/** Why hosts cannot be booted on this machine, installed packages aside; undefined where they can. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `needs Linux, and this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'needs root'
  if (!(await findProgram('apt-get'))) return 'needs Debian or Ubuntu: hosts are made of their packages'
  return undefined
}

/**
 * Installs what this machine lacks for a lab.
 * @throws Error where it can have none
 */
export async function prepareForLab(): Promise<void> {
  const reason = await whyNoLab()
  if (reason) throw new Error(`hosts cannot be booted here: ${reason}`)
  const missing = await missingPackages()
  if (missing.length > 0) await installPackages(missing)
}
