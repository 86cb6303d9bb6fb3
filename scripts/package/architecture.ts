import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../process/tool.ts'

const run = promisify(execFile)

/** Debian's name of an architecture, and what others call it. */
export const architectures = {
  amd64: { node: 'x64', loader: 'lib64/ld-linux-x86-64.so.2', triplet: 'x86_64-linux-gnu' },
  arm64: { node: 'arm64', loader: 'lib/ld-linux-aarch64.so.1', triplet: 'aarch64-linux-gnu' },
} as const

export type Architecture = keyof typeof architectures

/** Where downloads are kept from one build to the next. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gatehouse')

export interface NodeFiles {
  readonly binary: Buffer
  readonly license: string
}

/**
 * The pinned Node.js for an architecture: from node_modules where it is installed, else from the registry, checked
 * against package-lock.json and kept in the cache folder.
 * @throws Error where the registry cannot be reached, or gave other bytes than those that were locked
 */
export async function nodeFiles(architecture: Architecture): Promise<NodeFiles> {
  const name = `node-linux-${architectures[architecture].node}`
  const folder = join(root, 'node_modules', name)
  return readNode(folder).catch(async () => readNode(await fetchPackage(name)))
}

async function readNode(folder: string): Promise<NodeFiles> {
  const [binary, license] = await Promise.all([
    readFile(join(folder, 'bin/node')),
    readFile(join(folder, 'LICENSE'), 'utf8'),
  ])
  return { binary, license }
}

interface Locked {
  readonly version: string
  readonly integrity: string
}

async function lockedPackage(name: string): Promise<Locked> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  const locked: Locked | undefined = packages[`node_modules/${name}`]
  if (!locked) throw new Error(`package-lock.json does not lock ${name}: run npm install`)
  return locked
}

/** Downloads and unpacks a package of the registry once; returns its folder. */
async function fetchPackage(name: string): Promise<string> {
  const { version, integrity } = await lockedPackage(name)
  const folder = join(cacheFolder, `${name}-${version}`)
  const done = await readFile(join(folder, 'package.json')).catch(() => undefined)
  if (done) return folder

  const work = `${folder}.${process.pid}`
  await mkdir(work, { recursive: true })
  try {
    const { stdout } = await run(
      'npm',
      ['pack', '--silent', '--pack-destination', work, `${name}@${version}`],
      {
        cwd: root,
        timeout: 300_000,
      },
    )
    const archive = join(work, stdout.trim().split('\n').at(-1)!)
    const hash = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64')
    if (integrity !== `sha512-${hash}`)
      throw new Error(`${name}@${version} is not what package-lock.json locks`)
    await run('tar', ['--extract', '--gzip', '--file', archive, '--directory', work], { timeout: 120_000 })
    await rename(join(work, 'package'), folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return folder
}
