import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../process/tool.ts'

/** What constructs run on besides cdktf; each a folder below engines/ with packages of its own. */
export type Engine = 'cdktn' | 'pulumi'

const longest = 10 * 60_000

/** Folder of an engine; its packages are in node_modules. */
export const engineFolder = (engine: Engine) => join(root, 'engines', engine)

/**
 * Installs the packages of an engine as its package-lock.json names them, where they are not there yet. Nothing else
 * needs them, so `npm ci` of the repository leaves them out. Those of Pulumi can be imported from the whole repository
 * afterwards. Several processes may do so at once.
 * @returns the folder node_modules
 * @throws Error with what npm said
 */
export async function installEngine(engine: Engine): Promise<string> {
  const folder = engineFolder(engine)
  const modules = join(folder, 'node_modules')
  const lockfile = await readFile(join(folder, 'package-lock.json'))
  const hash = createHash('sha256').update(lockfile).digest('hex')
  const installed = await readFile(join(modules, '.installed-lockfile'), 'utf8').catch(() => undefined)
  if (installed !== hash) await install(folder, modules, hash)
  if (engine === 'pulumi') await link(join(modules, '@pulumi'), join(root, 'node_modules/@pulumi'))
  return modules
}

/** In a folder beside, then moved as a whole: what is interrupted leaves nothing half done. */
async function install(folder: string, modules: string, hash: string) {
  const beside = await mkdtemp(join(folder, 'node_modules.installing-'))
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await copyFile(join(folder, file), join(beside, file))
    }
    await npmCi(beside)
    await writeFile(join(beside, 'node_modules/.installed-lockfile'), hash)
    const old = join(beside, 'old')
    await rename(modules, old).catch(() => {}) // there is none at first
    await rename(join(beside, 'node_modules'), modules).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // another process was quicker
    })
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}

function npmCi(cwd: string): Promise<void> {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline']
  const child = spawn('npm', ['ci', ...flags], { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: longest })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`npm ci failed in ${cwd}; is the package registry reachable?\n${output.trim()}`))
    })
  })
}

async function link(target: string, path: string) {
  await mkdir(join(path, '..'), { recursive: true })
  await symlink(target, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
