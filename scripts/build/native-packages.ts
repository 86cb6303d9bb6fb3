import { cp, mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What Node.js calls the processors that it is built for. */
export type NodeArchitecture = 'x64' | 'arm64'

/**
 * Packages with machine code or WebAssembly, which no bundle can hold: the files and folders that each needs at run
 * time on a Linux with the GNU C library.
 */
const parts = (architecture: NodeArchitecture): Readonly<Record<string, readonly string[]>> => ({
  rregex: ['package.json', 'LICENSE', 'lib/commonjs.cjs', 'lib/rregex.wasm'],
  'node-gyp-build': ['package.json', 'LICENSE', 'index.js'],
  '@datadog/native-appsec': [
    ...['package.json', 'LICENSE', 'LICENSE-3rdparty.csv', 'index.js'],
    `prebuilds/linuxglibc-${architecture}`,
  ],
})

/** A file of such a package. */
export interface NativeFile {
  /** Below the folder of the programs: `node_modules/rregex/lib/rregex.wasm`. */
  readonly path: string
  readonly content: Buffer
}

/** The files of the native packages for an architecture, sorted by path. */
export async function nativeFiles(architecture: NodeArchitecture): Promise<NativeFile[]> {
  const paths = await Promise.all(
    Object.entries(parts(architecture)).flatMap(([name, all]) =>
      all.map((part) => filesBelow(join(root, 'node_modules', name, part))),
    ),
  )
  return Promise.all(
    paths
      .flat()
      .sort()
      .map(async (path) => ({ path: relative(root, path), content: await readFile(path) })),
  )
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (!entries) return [path]
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Copies the native packages for this machine to a folder of programs, where Node.js looks for them. */
export async function placeNativePackages(folder: string): Promise<void> {
  for (const { path } of await nativeFiles(process.arch === 'arm64' ? 'arm64' : 'x64')) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await cp(join(root, path), join(folder, path))
  }
}

/** Their names, for a bill of materials. */
export const nativePackageNames: readonly string[] = Object.keys(parts('x64'))
