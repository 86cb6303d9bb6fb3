/*
 * Starts and stops a gateway of this machine in the background: `node control.ts start|stop`, run by Terraform.
 * What to run is told in the environment, see `LocalControl`.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Names of environment variables; part of the contract with `LocalGateway`. */
export interface LocalControl {
  /** Program, run as `PROGRAM --config DIRECTORY/config --state DIRECTORY/state`. */
  readonly GATEWAY_PROGRAM: string
  /** Where configuration, state, log and pid file of this gateway are. */
  readonly GATEWAY_DIRECTORY: string
  /** JSON: name → content of the configuration files. */
  readonly GATEWAY_FILES: string
  /** Port of /readyz on loopback. */
  readonly GATEWAY_STATUS_PORT: string
}

const readyLimit = 20_000
const stopLimit = 40_000

const setting = (name: keyof LocalControl) => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

async function start() {
  const directory = setting('GATEWAY_DIRECTORY')
  const program = setting('GATEWAY_PROGRAM')
  if (!existsSync(program)) throw new Error(`${program} is not there: run "npm run build" first`)
  await stop()
  const config = join(directory, 'config')
  for (const [name, content] of Object.entries(
    JSON.parse(setting('GATEWAY_FILES')) as Record<string, string>,
  )) {
    writeWhole(join(config, name), content)
  }
  ensureCertificate(join(config, 'tls'))

  const log = join(directory, 'gateway.out')
  const output = openSync(log, 'w', 0o600)
  const child = spawn(program, ['--config', config, '--state', join(directory, 'state')], {
    cwd: config,
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  child.once('error', () => {}) // has no pid then, which is told below
  child.unref()
  if (child.pid === undefined) throw new Error(`${program} cannot be run: is it executable?`)
  writeWhole(join(directory, 'gateway.pid'), `${child.pid}\n`)
  if (await isReady(Number(setting('GATEWAY_STATUS_PORT')), () => child.exitCode !== null)) return
  await stop()
  throw new Error(`the gateway did not become ready; it wrote:\n${readFileSync(log, 'utf8').slice(-4_000)}`)
}

async function stop() {
  const directory = setting('GATEWAY_DIRECTORY')
  const pidFile = join(directory, 'gateway.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const deadline = performance.now() + stopLimit
  if (isOurs(pid, directory)) process.kill(pid, 'SIGTERM')
  while (isOurs(pid, directory)) {
    if (performance.now() > deadline) process.kill(pid, 'SIGKILL')
    await sleep(50)
  }
  rmSync(pidFile)
}

/** A pid may have gone to another program since: ours has its directory among its arguments. */
const isOurs = (pid: number, directory: string) =>
  Number.isSafeInteger(pid) && pid > 1 && commandOf(pid).includes(directory)

/** Command line of a running process, '' for none. */
function commandOf(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-ww', '-o', 'command=', '-p', `${pid}`], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

async function isReady(port: number, hasEnded: () => boolean): Promise<boolean> {
  const deadline = performance.now() + readyLimit
  while (performance.now() < deadline && !hasEnded()) {
    const signal = AbortSignal.timeout(1_000)
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.status === 200 && !hasEnded()) return true
    await sleep(50)
  }
  return false
}

/** For https listeners of a development machine: self-signed, made once, kept. */
function ensureCertificate(directory: string) {
  const [key, certificate] = [join(directory, 'server.key'), join(directory, 'server.crt')]
  if (existsSync(certificate)) return
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '90']
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
  } catch (error) {
    throw new Error(`openssl could not make a certificate; put one into ${certificate} and ${key}`, {
      cause: error,
    })
  }
}

function writeWhole(path: string, content: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, content, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

try {
  const command = process.argv[2]
  if (command === 'start') await start()
  else if (command === 'stop') await stop()
  else throw new Error(`expected start or stop, got ${command}`)
} catch (error) {
  process.stderr.write(`local gateway: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
