import type { Command } from 'commander'
import { formatProblem, type Problem } from '../config/index.ts'
import { CliError } from './cli-error.ts'
import { findRunningGateway } from './gateway-access.ts'
import type { RunningGateway } from './running-gateway.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'
import { table } from './table.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)
const printJson = (value: unknown) => print(JSON.stringify(value, null, 2))

/** What GET /status answers. */
interface Status {
  readonly version: string
  readonly started_at: string
  readonly snapshot: string
  readonly ready: boolean
  readonly draining: boolean
  readonly restarts: number
  readonly workers: readonly { readonly index: number; readonly snapshot: string | null }[]
  readonly configuration: {
    readonly folder: string
    readonly error: string | null
    readonly warnings: readonly Problem[]
  }
  readonly targets: readonly {
    readonly upstream: string
    readonly target: string
    readonly circuit: string
    /** Null: nobody looks. */
    readonly health: string | null
    /** Of a target with a name. */
    readonly addresses?: readonly string[]
    readonly dns_error?: string | null
  }[]
}

/** `status`, `reload` and `drain`. */
export function addNodeCommands(program: Command): void {
  const status = program.command('status').description('show what the running gateway does')
  addGlobalOptions(status).action(() => showStatus(settingsOf(status)))

  const reload = program
    .command('reload')
    .description('let the gateway read its files and certificates again')
  addGlobalOptions(reload).action(async () => {
    const settings = settingsOf(reload)
    const answer = await (await running(settings)).request('POST', '/config/reload')
    const { changed } = answer as { changed: boolean }
    if (settings.json) printJson(answer)
    else
      print(changed ? 'The configuration was read again and is in force.' : 'The configuration is as it was.')
  })

  const drain = program
    .command('drain')
    .description(
      'take no more requests: finish those in flight, and answer 503 at /readyz until it is stopped',
    )
  addGlobalOptions(drain).action(async () => {
    const settings = settingsOf(drain)
    const answer = await (await running(settings)).request('POST', '/drain')
    if (settings.json) return printJson(answer)
    print(
      'The gateway takes no more requests. /readyz answers 503; stop it with systemctl stop gateway-service.',
    )
  })
}

export async function running(settings: Settings): Promise<RunningGateway> {
  const gateway = await findRunningGateway(settings)
  if (gateway) return gateway
  throw new CliError(
    `gateway-service is not running with the configuration in ${settings.configFolder}; start it, or say which with --config DIR`,
  )
}

async function showStatus(settings: Settings): Promise<void> {
  const status = (await (await running(settings)).request('GET', '/status')) as Status
  if (settings.json) return printJson(status)
  const state = status.draining ? 'draining' : status.ready ? 'ready' : 'not ready'
  const current = status.workers.filter(({ snapshot }) => snapshot === status.snapshot).length
  const lines = [
    ['gateway', `${status.version}, ${state}, since ${status.started_at}`],
    [
      'workers',
      `${current} of ${status.workers.length} hold the configuration; ${status.restarts} were replaced`,
    ],
    ['configuration', `${status.configuration.folder}, version ${status.snapshot.slice(0, 12)}`],
  ]
  print(lines.map(([name, text]) => `${name!.padEnd(13)}  ${text}`).join('\n'))
  if (status.configuration.error !== null) {
    print(`\nThe files are not in force, as they have problems:\n${status.configuration.error}`)
  }
  const warnings = status.configuration.warnings.map((warning) => `warning: ${formatProblem(warning)}`)
  if (warnings.length > 0) print(`\n${warnings.join('\n')}`)
  if (status.targets.length === 0) return
  const rows = status.targets.map(({ upstream, target, circuit, health, addresses, dns_error }) => [
    upstream,
    target,
    circuit,
    health ?? 'not checked',
    [...(addresses ?? []), ...(dns_error ? [`(DNS: ${dns_error})`] : [])].join(' '),
  ])
  print(`\n${table(['UPSTREAM', 'TARGET', 'CIRCUIT', 'HEALTH', 'ADDRESSES'], rows)}`)
}
