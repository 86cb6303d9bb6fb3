import { type Command, InvalidArgumentError } from 'commander'
import { parse } from 'yaml'
import { type Collection, formatProblem } from '../config/index.ts'
import { type Entity, singular } from '../control-plane/admin-api/entities.ts'
import { CliError } from './cli-error.ts'
import { entitySummary } from './entity-text.ts'
import { openGateway } from './gateway-access.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)

type Setting = readonly [path: readonly string[], value: unknown]

const pathOf = (text: string): string[] => {
  if (!/^[\w-]+(\.[\w-]+)*$/.test(text))
    throw new InvalidArgumentError('expected a key, such as read_timeout')
  return text.split('.')
}

function setting(text: string, before: readonly Setting[] = []): Setting[] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (key === undefined) throw new InvalidArgumentError('expected KEY=VALUE, such as retries=1')
  return [...before, [pathOf(key), parse(value!)]]
}

const removal = (text: string, before: readonly Setting[] = []): Setting[] => [
  ...before,
  [pathOf(text), null],
]

/** `{a: {b: 1}}` of `a.b=1`: what RFC 7396 calls a merge patch. */
function patchOf(settings: readonly Setting[]): Entity {
  const patch: Record<string, unknown> = {}
  for (const [path, value] of settings) {
    let place = patch
    for (const key of path.slice(0, -1)) {
      place[key] ??= {}
      place = place[key] as Record<string, unknown>
    }
    place[path.at(-1)!] = value
  }
  return patch
}

/** `services update orders --set retries=1 --unset tags` changes single keys of an entity. */
export function addUpdate(group: Command, collection: Collection): void {
  const update = group
    .command('update')
    .description(`change a ${singular[collection]}: in force at once, and in the files`)
    .argument('<id>', collection === 'plugins' ? 'id, as plugins list shows it' : 'its name')
    .option(
      '--set <key=value>',
      'a key and its new value, as YAML has it; several times for several',
      setting,
    )
    .option('--unset <key>', 'a key that is to be gone', removal)
    .addHelpText('after', `\nExample:\n  gateway-cli ${collection} update NAME --set tags=[team-a]`)
  addGlobalOptions(update).action(async (id: string) => {
    const settings = settingsOf(update)
    const { set = [], unset = [] } = update.opts<{ set?: Setting[]; unset?: Setting[] }>()
    if (set.length + unset.length === 0) throw new CliError('say what to change: --set KEY=VALUE', 2)
    const gateway = await openGateway(settings)
    const base = await gateway.get(collection, id)
    const { entity, warnings } = await gateway.update(collection, id, patchOf([...set, ...unset]), base)
    if (settings.json) return print(JSON.stringify(entity, null, 2))
    print(`${singular[collection]} ${id} changed: ${entitySummary(collection, entity)}`)
    for (const warning of warnings) print(`warning: ${formatProblem(warning)}`)
  })
}
