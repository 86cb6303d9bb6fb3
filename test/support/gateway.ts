import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMap, parseDocument, stringify } from 'yaml'
import { startGatewayProcess } from '../../scripts/process/gateway.ts'
import type { Exit, Program } from '../../scripts/process/program.ts'
import { freePorts } from './ports.ts'

const sources = join(import.meta.dirname, '../../gateway-runtime/src')

/** YAML text, or what is written as YAML. */
type Yaml = string | object

export interface GatewayOptions {
  /**
   * config.yaml. Where it is silent on `listeners` (one on HTTP), `admin`, `status`, `logs` and `workers` (1),
   * these are filled in with free ports and the test's folder; what it says is left as it is.
   */
  readonly config?: Yaml
  /** services.yaml; not written where left out. */
  readonly services?: Yaml
  /** More files of the configuration folder: name → content. */
  readonly files?: Readonly<Record<string, Yaml>>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where its folder is made; the system's folder for what is temporary. */
  readonly within?: string
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A gateway that runs as its own process, from the sources, in a temporary folder. */
export interface TestGateway {
  readonly process: Program
  readonly configDirectory: string
  readonly stateDirectory: string
  readonly logDirectory: string
  readonly ports: { readonly http: number; readonly admin: number; readonly status: number }
  /** `http://127.0.0.1:PORT` of the HTTP listener, the admin API and the status port. */
  readonly url: string
  readonly adminUrl: string
  readonly statusUrl: string
  /** The lines of access.log so far, parsed. */
  accessLog(): Promise<Record<string, unknown>[]>
  /** The text of error.log so far; '' before the first line. */
  errorLog(): Promise<string>
  /** Runs gateway-cli against this gateway. */
  cli(...args: string[]): Promise<CliResult>
  /** The same, with a text on its standard input. */
  cliWithInput(input: string, ...args: string[]): Promise<CliResult>
  /** Stops the process and deletes the folder. */
  stop(): Promise<Exit>
}

/**
 * Starts a gateway and waits until it is ready; rejects with its output when it does not become so.
 *
 *     const upstream = await startUpstream()
 *     const gateway = await startGateway({
 *       config: { services: [{ name: 'a', url: upstream.url }], routes: [{ name: 'r', service: 'a', paths: ['/'] }] },
 *     })
 *     const response = await fetch(`${gateway.url}/path`)
 *     await gateway.stop()
 */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const [http, admin, status] = (await freePorts(3)) as [number, number, number]
  const directory = await mkdtemp(join(options.within ?? tmpdir(), 'gatehouse-test-'))
  const configDirectory = join(directory, 'config')
  const stateDirectory = join(configDirectory, '.state') // where gateway-cli looks for it
  const logDirectory = join(directory, 'logs')
  await mkdir(configDirectory)
  const defaults = {
    listeners: [{ host: '127.0.0.1', port: http, protocol: 'http' }],
    admin: { port: admin },
    status: { host: '127.0.0.1', port: status },
    logs: { directory: logDirectory },
    workers: 1,
  }
  const files = {
    'config.yaml': complete(toText(options.config ?? {}), defaults),
    ...(options.services && { 'services.yaml': toText(options.services) }),
    ...options.files,
  }
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(configDirectory, name), toText(content))
  }

  const remove = () => rm(directory, { recursive: true, force: true })
  const gateway = await startGatewayProcess({
    command: [process.execPath, join(sources, 'gateway.ts')],
    configDirectory,
    stateDirectory,
    statusPort: status,
    ...(options.env && { env: options.env }),
  }).catch(async (error) => {
    await remove()
    throw error
  })

  return {
    process: gateway,
    configDirectory,
    stateDirectory,
    logDirectory,
    ports: { http, admin, status },
    url: `http://127.0.0.1:${http}`,
    adminUrl: `http://127.0.0.1:${admin}`,
    statusUrl: `http://127.0.0.1:${status}`,
    accessLog: async () => {
      const text = await readIfThere(join(logDirectory, 'access.log'))
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    },
    errorLog: () => readIfThere(join(logDirectory, 'error.log')),
    cli: (...args) => runCli(['--config', configDirectory, ...args]),
    cliWithInput: (input, ...args) => runCli(['--config', configDirectory, ...args], input),
    stop: async () => {
      const exit = await gateway.stop()
      await remove()
      return exit
    },
  }
}

const toText = (yaml: Yaml) => (typeof yaml === 'string' ? yaml : stringify(yaml))

/** Adds the keys that a document does not have; a document that is no map is left as it is. */
function complete(text: string, defaults: Record<string, unknown>): string {
  const document = parseDocument(text)
  if (document.errors.length > 0) return text
  if (document.contents === null) return stringify(defaults)
  if (!isMap(document.contents)) return text
  for (const [key, value] of Object.entries(defaults)) {
    if (!document.has(key)) document.set(key, value)
  }
  return document.toString()
}

const readIfThere = (path: string) => readFile(path, 'utf8').catch(() => '')

const runCli = (args: string[], input = '') =>
  new Promise<CliResult>((resolve) => {
    const command = [join(sources, 'gateway-cli.ts'), ...args]
    const child = execFile(process.execPath, command, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
    })
    // A command that reads none may have ended before.
    child.stdin?.on('error', () => {}).end(input)
  })
