import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { CliError } from './cli-error.ts'

const run = promisify(execFile)

/** Bytes of a release of rules at most, packed and not; the Core Rule Set with its tests has a tenth. */
const mostBytes = 64 * 2 ** 20
const mostFiles = 20_000

/** The rules of a release, wherever they came from. */
export interface Release {
  readonly folder: string
  /** Copies the rules to the state folder, under a name of their content. Returns the copy's folder. */
  keep(stateFolder: string): Promise<string>
  /** Deletes what was unpacked. */
  close(): Promise<void>
}

/** Opens a folder, or unpacks a tarball. @throws CliError where it is neither, or too large */
export async function openRelease(path: string): Promise<Release> {
  const found = await stat(path).catch(() => {
    throw new CliError(`there is no ${path}; give the folder or the tarball of a release`)
  })
  if (found.isDirectory()) {
    const folder = await rulesFolder(resolve(path))
    return { folder, keep: (stateFolder) => keep(folder, stateFolder), close: async () => {} }
  }
  if (found.size > mostBytes) throw new CliError(`${path} has ${found.size} bytes; that is no set of rules`)
  const unpacked = await mkdtemp(join(tmpdir(), 'gateway-waf-'))
  const close = () => rm(unpacked, { recursive: true, force: true })
  try {
    await unpack(resolve(path), unpacked)
    const folder = await rulesFolder(unpacked)
    return { folder, keep: (stateFolder) => keep(folder, stateFolder), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** GNU tar keeps what it unpacks within the folder by itself. */
async function unpack(tarball: string, folder: string): Promise<void> {
  const owner = ['--no-same-owner', '--no-same-permissions']
  await run('tar', ['--extract', '--file', tarball, '--directory', folder, ...owner], {
    timeout: 60_000,
  }).catch((error: Error & { readonly stderr?: string }) => {
    throw new CliError(`${tarball} cannot be unpacked: ${error.stderr?.trim() || error.message}`)
  })
}

/** A tarball has one folder with all in it, as a rule. */
async function rulesFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true })
  const [only] = entries
  return entries.length === 1 && only!.isDirectory() ? rulesFolder(join(folder, only!.name)) : folder
}

/** Rules never change under a name: who reads them reads all of one release. */
async function keep(folder: string, stateFolder: string): Promise<string> {
  const files = await filesOf(folder)
  const hash = createHash('sha256')
  for (const file of files) {
    const content = await readFile(join(folder, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  const parent = join(stateFolder, 'waf-rules')
  const kept = join(parent, `${basename(folder)}-${hash.digest('hex').slice(0, 12)}`)
  if (await stat(kept).catch(() => undefined)) return kept
  await mkdir(parent, { recursive: true, mode: 0o755 })
  const fresh = await mkdtemp(join(parent, '.new-'))
  for (const file of files) {
    await cp(join(folder, file), join(fresh, file), { dereference: true })
    await chmod(join(fresh, file), 0o644) // the gateway reads it as another user
  }
  for (const name of await readdir(fresh, { recursive: true, withFileTypes: true })) {
    if (name.isDirectory()) await chmod(join(name.parentPath, name.name), 0o755)
  }
  await chmod(fresh, 0o755)
  await rename(fresh, kept)
  return kept
}

/** What rules are made of, without tests and documents. @throws CliError where it is too much */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile() && /\.(?:conf|data|load|example|mapping)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
  let bytes = 0
  for (const file of files) bytes += (await stat(join(folder, file))).size
  if (files.length > mostFiles || bytes > mostBytes) throw new CliError(`${folder} has too much to be rules`)
  return files
}
