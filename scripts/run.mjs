// Runs scripts/NAME.ts under the pinned Node.js, after installing what is missing.
// Plain JavaScript without dependencies: it is the one file that must work before `npm ci` ever ran.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [name, ...args] = process.argv.slice(2)
const pinned = join(root, 'node_modules/.bin/node')
const stamp = join(root, 'node_modules/.installed-lockfile')
/** Holds the process id of who installs: two `npm ci` at once take each other's files away. */
const lock = join(root, '.installing')

const lockfileHash = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')

const isInstalled = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === lockfileHash()

function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Process id in the lock; 0: there is none, or not yet. */
function lockHolder() {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return 0
  }
}

/** False where another process is about to install. */
function takeLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  const holder = lockHolder()
  if (holder > 0 && !isRunning(holder)) rmSync(lock, { force: true })
  return false
}

function installOnce() {
  while (!isInstalled()) {
    if (!takeLock()) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
      continue
    }
    if (!isInstalled()) install()
    rmSync(lock)
  }
}

function install() {
  process.stderr.write('Installing dependencies (once, about a minute) …\n')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', ['ci', ...flags], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    process.stderr.write('npm ci failed: see its message above. Is the package registry reachable?\n')
    process.exit(1)
  }
  writeFileSync(stamp, lockfileHash())
}

/** The Node.js that everything runs on: the registry's binary, else this one where it is new enough. */
function nodeBinary() {
  if (existsSync(pinned)) return pinned
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major === 24 && minor >= 21) return process.execPath
  process.stderr.write(
    `The registry has no Node.js 24 for ${process.platform}-${process.arch}, and this is ${process.version}. ` +
      'Install Node.js 24.21 or newer and run the command again.\n',
  )
  process.exit(1)
}

installOnce()
const child = spawn(nodeBinary(), [join(root, 'scripts', `${name}.ts`), ...args], {
  cwd: root,
  stdio: 'inherit',
  // A third of the time of a short command is compiling the same modules again.
  env: { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node'), ...process.env },
})
// A terminal sends Ctrl-C to the whole group; what only this process receives is passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
process.on('SIGINT', () => {})
child.on('exit', (code, signal) => process.exit(signal ? 1 : code))
