import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { stateDirectory } from '../state-directory.ts'
import { CliError } from './cli-error.ts'

/** What holds for every command. */
export interface Settings {
  /** Absolute. */
  readonly configFolder: string
  readonly stateFolder: string
  readonly json: boolean
}

const group = 'Global options:'
const state = () =>
  new Option('--state <dir>', 'folder with the admin token, where the gateway was given another').helpGroup(
    group,
  )
const json = () => new Option('--json', 'print JSON, for programs').helpGroup(group)

/** Lets the global options stand behind this command, too. */
export function addGlobalOptions(command: Command): Command {
  const config = new Option(
    '-c, --config <dir>',
    'folder of the configuration (default: $GATEWAY_CONFIG or /etc/gateway)',
  )
  return command.addOption(config.helpGroup(group)).addOption(state()).addOption(json())
}

/** The same for a command with a `--config` of its own; behind it, the folder is `-c`. */
export function addGlobalOptionsBesideConfig(command: Command): Command {
  const config = new Option(
    '-c <dir>',
    'folder of the configuration; as --config, it stands before the command',
  )
  return command.addOption(config.helpGroup(group)).addOption(state()).addOption(json())
}

interface GlobalOptions {
  readonly config?: string
  readonly c?: string
  readonly state?: string
  readonly json?: boolean
}

/** The global options, wherever they stand; of several, the last. */
export function settingsOf(command: Command): Settings {
  const { folder, state, json } = collect(command)
  const configFolder = resolve(folder ?? (process.env.GATEWAY_CONFIG || '/etc/gateway'))
  if (!existsSync(configFolder)) {
    const advice = folder === undefined ? '; give the folder with --config DIR, or in $GATEWAY_CONFIG' : ''
    throw new CliError(`there is no configuration folder ${configFolder}${advice}`)
  }
  return { configFolder, stateFolder: stateDirectory(state, configFolder), json: json ?? false }
}

interface Collected {
  readonly folder?: string | undefined
  readonly state?: string | undefined
  readonly json?: boolean | undefined
}

function collect(command: Command): Collected {
  const options = command.opts<GlobalOptions>()
  const above = command.parent ? collect(command.parent) : {}
  const hasOwnConfig = command.options.some(({ short, long }) => short === '-c' && long === undefined)
  return {
    folder: (hasOwnConfig ? options.c : options.config) ?? above.folder,
    state: options.state ?? above.state,
    json: options.json ?? above.json,
  }
}
