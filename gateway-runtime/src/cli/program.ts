import { Command, CommanderError } from 'commander'
import { version } from '../version.ts'
import { addCacheCommand } from './cache-command.ts'
import { CliError } from './cli-error.ts'
import { addCompletionCommand } from './completion-command.ts'
import { addConfigCommands } from './config-commands.ts'
import { addCredentialCommands } from './credential-commands.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { addEntityCommands } from './entity-commands.ts'
import { addLogsCommand } from './logs-command.ts'
import { addNodeCommands } from './node-commands.ts'
import { mendPastedArguments } from './pasted-arguments.ts'
import { addGlobalOptions } from './settings.ts'
import { addTargetCommands } from './target-commands.ts'
import { addTokenCommand } from './token-command.ts'
import { addTopCommand } from './top-command.ts'
import { addTraceCommand } from './trace-command.ts'
import { addWafCommand } from './waf-command.ts'

const examples = `
Examples:
  gateway-cli services add --name orders --url http://10.0.12.7:8080/
  gateway-cli routes add --name service-alpha --paths /v1/api
  gateway-cli plugins add rate-limiting --config "limit=1000, period=second"
  gateway-cli routes list --json
  gateway-cli routes explain GET https://api.example.com/v1/api
  gateway-cli --config ./gateway config validate
  gateway-cli config diff ./other-gateway
  gateway-cli logs --follow --status 5xx

A running gateway is told at once; the files of one that does not run are changed, and checked first.
Exit codes: 0 it worked, 1 it did not, 2 the command was not understood; of config diff: 2 something is other.`

/** All commands of gateway-cli, with their options and help. */
export function createProgram(): Command {
  const program = new Command('gateway-cli')
    .description('Operates the API gateway of a configuration folder.')
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError('(gateway-cli --help shows what there is)')
    .exitOverride()
    .addHelpText('after', examples)
  addGlobalOptions(program)
  addEntityCommands(program)
  addTargetCommands(program)
  addCredentialCommands(program)
  addNodeCommands(program)
  addConfigCommands(program)
  addLogsCommand(program)
  addTopCommand(program)
  addTraceCommand(program)
  addDoctorCommand(program)
  addTokenCommand(program)
  addWafCommand(program)
  addCacheCommand(program)
  addCompletionCommand(program)
  return program
}

/**
 * Runs a command; resolves with its exit code. What went wrong stands on stderr by then.
 * @param args - as they came from the shell, without program and script
 */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(mendPastedArguments(args), { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    // Commander has printed its own message; of --help and --version it makes an error with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    process.stderr.write(`gateway-cli: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof CliError ? error.exitCode : 1
  }
}
