import { type Command, Option } from 'commander'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import type { RefusedRule } from '../plugins/waf/engine/compile-rules.ts'
import { WafEngine } from '../plugins/waf/engine/waf-engine.ts'
import { CliError } from './cli-error.ts'
import { openGateway } from './gateway-access.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'
import { table } from './table.ts'
import { openRelease, type Release } from './waf-release.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)

interface RulesOptions {
  readonly check?: boolean
  readonly keep?: boolean
}

/** What was done with a release. */
interface Outcome {
  readonly rule_set: readonly string[]
  readonly rules: number
  readonly refused: readonly {
    readonly id: number | undefined
    readonly where: string
    readonly why: string
  }[]
  /** Where it is kept; null with --check. */
  readonly folder: string | null
  /** How many plugins use it now. */
  readonly plugins: number
}

/** `waf rules`: loads a release of a rule set, and has the running firewall use it. */
export function addWafCommand(program: Command): void {
  const waf = addGlobalOptions(program.command('waf').description('load the rules of the firewall'))
  const rules = waf
    .command('rules')
    .description('load a release of the Core Rule Set, say which rules it cannot take, and put it in force')
    .argument('<release>', 'folder, or tarball (.tar, .tar.gz, .tar.xz)')
    .addOption(new Option('--check', 'only say what would be taken').conflicts('keep'))
    .option('--keep', 'keep it on this node, and put it in force later')
  addGlobalOptions(rules).action(async (path: string) => {
    const settings = settingsOf(rules)
    const release = await openRelease(path)
    try {
      const outcome = await load(release, settings, rules.opts<RulesOptions>())
      print(settings.json ? JSON.stringify(outcome, null, 2) : describe(outcome))
    } finally {
      await release.close()
    }
  })
}

async function load(release: Release, settings: Settings, options: RulesOptions): Promise<Outcome> {
  const { report } = readRelease(release.folder)
  const told = {
    rule_set: report.signatures,
    rules: report.rules,
    refused: report.refused.map(refusal(release.folder)),
  }
  if (options.check) return { ...told, folder: null, plugins: 0 }
  const folder = await release.keep(settings.stateFolder)
  return { ...told, folder, plugins: options.keep ? 0 : await putInForce(folder, settings) }
}

function readRelease(folder: string): WafEngine {
  try {
    return WafEngine.load(folder, { mode: 'block' })
  } catch (error) {
    throw new CliError(`the rules cannot be read: ${(error as Error).message}`)
  }
}

const refusal =
  (folder: string) =>
  ({ id, location, reason }: RefusedRule) => ({
    id,
    where: location.replace(`${folder}/`, ''),
    why: reason,
  })

/** Names the folder in every plugin `waf`, in one change. Returns how many there are. */
async function putInForce(folder: string, settings: Settings): Promise<number> {
  const gateway = await openGateway(settings)
  const base = await gateway.configuration()
  const plugins = (base.plugins ?? []) as readonly Entity[]
  const isFirewall = ({ name }: Entity) => name === 'waf'
  const count = plugins.filter(isFirewall).length
  if (count === 0) {
    throw new CliError(
      `there is no plugin waf yet; the rules are kept: gateway-cli plugins add waf --config "rules=${folder}"`,
    )
  }
  const changed = plugins.map((plugin) =>
    isFirewall(plugin)
      ? { ...plugin, config: { ...(plugin.config as Record<string, unknown>), rules: folder } }
      : plugin,
  )
  await gateway.replace({ ...base, plugins: changed }, { base, dryRun: false })
  return count
}

function describe({ rule_set, rules, refused, folder, plugins }: Outcome): string {
  const lines = [
    `${rule_set.join(', ') || 'A rule set without a name'}: ${rules} ${rules === 1 ? 'rule was' : 'rules were'} taken.`,
  ]
  if (refused.length > 0) {
    const rows = refused.map(({ id, where, why }) => [String(id ?? '-'), why, where])
    lines.push(`\nThese ${refused.length} were not:\n`, table(['RULE', 'WHY', 'WHERE'], rows), '')
  }
  if (folder === null) return lines.join('\n')
  lines.push(`They are kept in ${folder}.`)
  if (plugins > 0)
    lines.push(`${plugins === 1 ? 'The plugin waf uses' : `${plugins} plugins waf use`} them now.`)
  return lines.join('\n')
}
