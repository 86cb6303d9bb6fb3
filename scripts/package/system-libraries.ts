import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../process/system-programs.ts'
import { type Architecture, architectures, cacheFolder } from './architecture.ts'
import { type Entry, file } from './archive.ts'

const run = promisify(execFile)

/** The shared libraries that Node.js is linked with; Debian's packages of them. */
const libraries = {
  libc6: [
    'libc.so.6',
    'libdl.so.2',
    'libm.so.6',
    'libpthread.so.0',
    'libresolv.so.2',
    'libnss_dns.so.2',
    'libnss_files.so.2',
  ],
  'libgcc-s1': ['libgcc_s.so.1'],
  'libstdc++6': ['libstdc++.so.6'],
} as const

/** Packages of the distribution besides those of libraries. */
const others = ['ca-certificates', 'modsecurity-crs']
const packageNames = [...Object.keys(libraries), ...others]

/**
 * The shared libraries of Node.js and the loader, from the distribution's packages for an architecture, the
 * certificates of the public authorities, and the rules of the firewall. The packages are kept in the cache folder, so
 * that the next build uses the same; delete the folder for newer ones.
 * @throws Error where there is no apt-get, or the distribution cannot be reached
 */
export async function systemLibraries(architecture: Architecture): Promise<Entry[]> {
  const packages = await downloadPackages(architecture)
  const root = await mkdtemp(join(tmpdir(), 'gatehouse-libraries-'))
  try {
    for (const path of packages) await run('dpkg-deb', ['--extract', path, root], { timeout: 60_000 })
    const { triplet, loader } = architectures[architecture]
    const find = async (name: string) => {
      const folders = ['lib', 'usr/lib'].map((folder) => join(root, folder, triplet, name))
      for (const path of folders) {
        const content = await realpath(path)
          .then((real) => readFile(real))
          .catch(() => undefined)
        if (content) return content
      }
      throw new Error(`the distribution's packages for ${architecture} do not hold ${name}`)
    }
    const entries: Entry[] = []
    for (const name of Object.values(libraries).flat()) {
      entries.push(file(`usr/lib/${triplet}/${name}`, await find(name), 0o755))
    }
    entries.push(file(loader, await find(loader.split('/').at(-1)!), 0o755))
    entries.push(file('etc/ssl/certs/ca-certificates.crt', await authorities(root)))
    return [...entries, ...(await firewallRules(root))]
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** All certificates of ca-certificates in one file, sorted by name. */
async function authorities(root: string): Promise<string> {
  const folder = join(root, 'usr/share/ca-certificates/mozilla')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort()
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('')
}

/** The Core Rule Set, where the distribution has it. */
async function firewallRules(root: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const folder of ['etc/modsecurity', 'usr/share/modsecurity-crs/rules']) {
    const found = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
    for (const entry of found.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name)
      entries.push(file(relative(root, path), await readFile(path)))
    }
  }
  const list = 'usr/share/modsecurity-crs/owasp-crs.load'
  return [...entries, file(list, await readFile(join(root, list)))]
}

async function downloadPackages(architecture: Architecture): Promise<string[]> {
  const folder = join(cacheFolder, `libraries-${architecture}`)
  const list = async () =>
    (await readdir(folder))
      .filter((name) => name.endsWith('.deb'))
      .sort()
      .map((name) => join(folder, name))
  const kept = await list().catch(() => [])
  const isWhole = packageNames.every((name) => kept.some((path) => path.includes(`/${name}_`)))
  if (isWhole) return kept
  const apt = await findProgram('apt-get')
  if (!apt) throw new Error('the OCI image is made of libraries of Debian, and there is no apt-get here')

  // A state of its own: nothing of this machine's apt is changed, and other architectures are possible.
  const work = `${folder}.${process.pid}`
  const downloads = join(work, 'downloads')
  await mkdir(join(work, 'lists/partial'), { recursive: true })
  await mkdir(join(work, 'cache/archives/partial'), { recursive: true })
  await mkdir(downloads)
  const settings = [
    `Dir::State=${work}`,
    `Dir::State::lists=${work}/lists`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${work}/cache`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
  ].flatMap((setting) => ['-o', setting])
  try {
    await run(apt, [...settings, 'update'], { timeout: 180_000 })
    await run(apt, [...settings, 'download', ...packageNames], { cwd: downloads, timeout: 120_000 })
    await rm(folder, { recursive: true, force: true })
    await rename(downloads, folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return list()
}
