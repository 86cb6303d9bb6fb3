import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { oneLanguage, plainBuiltins } from './bundle-plugins.ts'
import { placeNativePackages } from './native-packages.ts'

const root = join(import.meta.dirname, '../..')

/** Where the programs are built. */
export const distribution = join(root, 'dist/gateway')

/** Programs that a person runs; each gets a launcher of its name. The threads are started by the gateway. */
export const programs = ['gateway', 'gateway-cli'] as const
const entries = [...programs, 'worker', 'waf-inspector'] as const

export interface BuiltFile {
  /** Relative to the distribution. */
  readonly name: string
  readonly bytes: number
}

/**
 * Builds the folder `dist/gateway`, which runs as it is and wherever it is copied: a bundle an entry with the parts that
 * they share, a launcher a program, and the Node.js that they were tested with. Returns what is in it; throws with esbuild's messages.
 */
export async function buildGateway(): Promise<BuiltFile[]> {
  await mkdir(distribution, { recursive: true })
  const { files } = await bundle(distribution)
  await removePartsBut(files)
  for (const name of programs) await writeLauncher(name)
  await placeNode()
  await placeNativePackages(distribution)
  const names = [...programs, ...files.filter((name) => name.endsWith('.mjs')), 'node']
  return Promise.all(
    names.map(async (name) => ({ name, bytes: (await stat(join(distribution, name))).size })),
  )
}

export interface Bundle {
  /** Paths, relative to the repository, of all that went into it. */
  readonly sources: readonly string[]
  /** Names of what it is made of. */
  readonly files: readonly string[]
}

/**
 * Bundles the programs and the worker into a folder, with the licences of what they hold. The bytes depend on the
 * sources alone.
 */
export async function bundle(folder: string): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(entries.map((name) => [name, `gateway-runtime/src/${name}.ts`])),
    outdir: folder,
    metafile: true,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    // What several programs share, and what is only loaded when it is needed, is in parts of its own.
    splitting: true,
    chunkNames: 'part-[hash]',
    platform: 'node',
    target: 'node24',
    // Half of the text to read at every start. Names stay, for the stacks in error logs.
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [plainBuiltins, oneLanguage],
    legalComments: 'linked',
    // Dependencies in CommonJS call `require` for the modules of Node.js, which an ES module does not have.
    banner: {
      js: "import { createRequire as gatehouseRequire } from 'node:module'\nconst require = gatehouseRequire(import.meta.url)",
    },
    logLevel: 'silent',
  })
  const sources = Object.keys(metafile.inputs).filter((path) => !path.startsWith('plain-builtins:'))
  return { sources, files: Object.keys(metafile.outputs).map((path) => basename(path)) }
}

/** Parts of a build before have other names, and nobody asks for them any more. */
async function removePartsBut(files: readonly string[]): Promise<void> {
  for (const name of await readdir(distribution))
    if (name.startsWith('part-') && !files.includes(name)) await rm(join(distribution, name), { force: true })
}

/** A rename puts it in place at once. */
async function writeLauncher(name: string): Promise<void> {
  const path = join(distribution, name)
  await writeFile(`${path}.new`, launcher(name), { mode: 0o755 })
  await chmod(`${path}.new`, 0o755)
  await rename(`${path}.new`, path)
}

/**
 * For Node.js, of the service: a heap whose young part begins at the size (MiB) that it has under load anyway. With
 * what it begins at otherwise, a third of the time of a start is collecting garbage.
 */
export const serviceNodeArguments = ['--min-semi-space-size=8', '--max-semi-space-size=8']

const nodeArguments = (name: string): string =>
  name === 'gateway' ? serviceNodeArguments.map((argument) => `${argument} `).join('') : ''

/** A POSIX shell script that runs a program, and finds its folder through any chain of links. */
export const launcher = (name: string): string => `#!/bin/sh
# Runs ${name}.mjs with the Node.js beside it, from wherever this file is or is linked.
program=$0
while [ -L "$program" ]; do
  target=$(readlink "$program")
  case $target in
    /*) program=$target ;;
    *) program=$(dirname "$program")/$target ;;
  esac
done
case $program in
  */*) folder=\${program%/*} ;;
  *) folder=. ;;
esac
exec "\${folder:-/}/node" ${nodeArguments(name)}"\${folder:-/}/${name}.mjs" "$@"
`

/** The binary that runs this script: a second name for it where both are on one disk, else a copy. */
async function placeNode(): Promise<void> {
  const source = await realpath(process.execPath)
  const path = join(distribution, 'node')
  await rm(`${path}.new`, { force: true })
  await link(source, `${path}.new`).catch(() => copyFile(source, `${path}.new`))
  await chmod(`${path}.new`, 0o755)
  await rename(`${path}.new`, path)
  await rm(`${path}.new`, { force: true }) // stays where both names are one file already (rename(2))
}
