import { chmod, copyFile, link, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { placeNativePackages } from './native-packages.ts'

const root = join(import.meta.dirname, '../..')
const require = createRequire(join(root, 'gateway-runtime/package.json'))

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
 * Builds the folder `dist/gateway`, which runs as it is and wherever it is copied: a bundle an entry, a launcher a
 * program, and the Node.js that they were tested with. Returns what is in it; throws with esbuild's messages.
 */
export async function buildGateway(): Promise<BuiltFile[]> {
  await mkdir(distribution, { recursive: true })
  await bundle(distribution)
  for (const name of programs) await writeLauncher(name)
  await placeNode()
  await placeNativePackages(distribution)
  const names = [...programs, ...entries.map((entry) => `${entry}.mjs`), 'node']
  return Promise.all(
    names.map(async (name) => ({ name, bytes: (await stat(join(distribution, name))).size })),
  )
}

/**
 * Bundles the programs and the worker into a folder, with the licences of what they hold. The bytes depend on the
 * sources alone. Returns the paths, relative to the repository, of all that went into them.
 */
export async function bundle(folder: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(entries.map((name) => [name, `gateway-runtime/src/${name}.ts`])),
    outdir: folder,
    metafile: true,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Half of the text to read at every start. Names stay, for the stacks in error logs.
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [plainBuiltins, plainBuffers],
    legalComments: 'linked',
    // Dependencies in CommonJS call `require` for the modules of Node.js, which an ES module does not have.
    banner: {
      js: "import { createRequire as gatehouseRequire } from 'node:module'\nconst require = gatehouseRequire(import.meta.url)",
    },
    logLevel: 'silent',
  })
  return Object.keys(metafile.inputs)
    .filter((path) => !path.startsWith('plain-builtins:'))
    .map((path) =>
      path.startsWith('plain-buffers:') ? relative(root, path.slice('plain-buffers:'.length)) : path,
    )
}

/**
 * An import of `node:http` or `node:https` reads every property of the module, and one of them loads the WebSocket of
 * Node.js: 50 ms on every thread, for what nobody asked for. The module itself does without.
 */
const plainBuiltins: Plugin = {
  name: 'plain-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:https?$/ }, ({ kind, path }) =>
      kind === 'import-statement' ? { path, namespace: 'plain-builtins' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'plain-builtins' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}')`,
      loader: 'js',
    }))
  },
}

/**
 * An import of undici's llhttp, a CommonJS module that is a Buffer, would make a property for each of its 50,000 bytes:
 * 150 ms on every thread, and 10 MB.
 */
const plainBuffers: Plugin = {
  name: 'plain-buffers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici\/lib\/llhttp\/.*-wasm\.js$/ }, ({ kind, path }) =>
      kind === 'import-statement' ? { path: require.resolve(path), namespace: 'plain-buffers' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'plain-buffers' }, ({ path }) => ({
      contents: `export default Buffer.from('${require(path).toString('base64')}', 'base64')`,
      loader: 'js',
    }))
  },
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
export const serviceNodeArguments = ['--min-semi-space-size=16']

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
