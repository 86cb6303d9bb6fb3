import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, launcher, programs } from '../build/bundle.ts'
import { type NativeFile, nativeFiles } from '../build/native-packages.ts'
import { type Architecture, type NodeFiles, nodeFiles } from './architecture.ts'

export interface NamedContent {
  readonly name: string
  readonly content: Buffer
}

/** The one build that everything which is shipped is made of. */
export interface Build {
  readonly version: string
  /** Seconds since 1970: the time of all files. */
  readonly time: number
  /** The programs and their licences; the same for every architecture. */
  readonly bundle: readonly NamedContent[]
  readonly launchers: readonly NamedContent[]
  /** Licences of the bundled modules. */
  readonly legal: string
  /** Paths of all sources, relative to the repository. */
  readonly sources: readonly string[]
  readonly node: Readonly<Record<Architecture, NodeFiles>>
  /** Packages that no bundle can hold: they stand beside the programs. */
  readonly native: Readonly<Record<Architecture, readonly NativeFile[]>>
}

const notifyHelper = join(import.meta.dirname, 'files')

/** Bundles the programs and brings the Node.js binaries. */
export async function makeBuild(version: string, time: number): Promise<Build> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-package-'))
  try {
    const { sources } = await bundle(folder)
    const [contents, helpers, amd64, arm64, nativeAmd64, nativeArm64] = await Promise.all([
      readAll(folder),
      readAll(notifyHelper),
      nodeFiles('amd64'),
      nodeFiles('arm64'),
      nativeFiles('x64'),
      nativeFiles('arm64'),
    ])
    const launchers = programs.map((name) => ({ name, content: Buffer.from(launcher(name)) }))
    const legal = contents
      .filter(({ name }) => name.endsWith('.LEGAL.txt'))
      .map(({ content }) => `${content}`)
    return {
      version,
      time,
      bundle: contents,
      launchers: [...launchers, ...helpers],
      legal: [...new Set(legal)].join('\n'),
      sources,
      node: { amd64, arm64 },
      native: { amd64: nativeAmd64, arm64: nativeArm64 },
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readAll(folder: string): Promise<NamedContent[]> {
  const names = (await readdir(folder)).sort()
  return Promise.all(names.map(async (name) => ({ name, content: await readFile(join(folder, name)) })))
}
