import { existsSync, readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { parse, stringify } from 'yaml'
import {
  type Collection,
  ConfigurationError,
  compile,
  differences,
  entityName,
  entitySchemas,
  formatProblem,
  loadConfiguration,
  masked,
  maskedChanges,
  maskSecrets,
} from '../config/index.ts'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import { fromKongFormat, isKongFormat } from '../control-plane/admin-api/import/kong-format.ts'
import { fromOpenApi, isOpenApi } from '../control-plane/admin-api/import/openapi-format.ts'
import type { HistoryEntry } from '../control-plane/history.ts'
import { changesText } from './changes-text.ts'
import { CliError } from './cli-error.ts'
import { type GatewayAccess, openGateway, type Replaced } from './gateway-access.ts'
import { running } from './node-commands.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'
import { table } from './table.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)
const printJson = (value: unknown) => print(JSON.stringify(value, null, 2))

/** `config validate`, `diff`, `apply`, `export`, `import`, `history` and `rollback`. */
export function addConfigCommands(program: Command): void {
  const config = addGlobalOptions(
    program.command('config').description('check, compare and change the configuration as a whole'),
  )
  const validate = config
    .command('validate')
    .description('say whether the gateway could start with the files')
  addGlobalOptions(validate).action(() => validateFiles(settingsOf(validate)))
  addExport(config)
  addDiff(config)
  addApply(config)
  addImport(config)
  addHistory(config)
}

function addExport(config: Command): void {
  const command = config
    .command('export')
    .description('print the configuration as one YAML document; secrets are masked')
    .option('--show-secrets', 'leave secrets in it, for import elsewhere')
  addGlobalOptions(command).action(async () => {
    const settings = settingsOf(command)
    const shown = await (await openGateway(settings)).configuration()
    const exported = command.opts<{ showSecrets?: boolean }>().showSecrets ? shown : maskSecrets(shown)
    if (settings.json) printJson(exported)
    else process.stdout.write(stringify(exported, { lineWidth: 110 }))
  })
}

const tagOption = [
  '--tag <tag>',
  'only entities with this tag: others stay, and each in the file gets it',
] as const

function addDiff(config: Command): void {
  const command = config
    .command('diff')
    .description('say what apply would change; exit code 0: nothing, 2: something, 1: it failed')
    .argument('<path>', 'file or folder with the configuration to compare with')
    .option(...tagOption)
  addGlobalOptions(command).action(async (path: string) => {
    const settings = settingsOf(command)
    const base = await (await openGateway(settings)).configuration()
    const wanted = wantedFrom(path, base, command.opts<{ tag?: string }>().tag)
    const changes = maskedChanges(differences(withoutSettings(base, wanted), wanted))
    if (settings.json) printJson({ changes })
    else print(changesText(changes))
    process.exitCode = changes.length === 0 ? 0 : 2
  })
}

function addApply(config: Command): void {
  const command = config
    .command('apply')
    .description('make the configuration what a file or folder says, in one step')
    .argument('<path>', 'file or folder')
    .option(...tagOption)
    .option('--dry-run', 'check it and say what would change, no more')
  addGlobalOptions(command).action(async (path: string) => {
    const settings = settingsOf(command)
    const { tag, dryRun = false } = command.opts<{ tag?: string; dryRun?: boolean }>()
    const gateway = await openGateway(settings)
    const base = await gateway.configuration()
    await replace(gateway, settings, { wanted: wantedFrom(path, base, tag), base, dryRun })
  })
}

function addImport(config: Command): void {
  const command = config
    .command('import')
    .description('add the entities of a file, or put them in the place of those of the same names')
    .argument('<file>', 'own format, Kong declarative format, or OpenAPI 3 document; YAML or JSON')
    .option('--dry-run', 'check it and say what would change, no more')
  addGlobalOptions(command).action(async (file: string) => {
    const settings = settingsOf(command)
    const gateway = await openGateway(settings)
    const base = await gateway.configuration()
    const wanted = united(base, readDocument(file))
    const { dryRun = false } = command.opts<{ dryRun?: boolean }>()
    await replace(gateway, settings, { wanted, base, dryRun })
  })
}

function addHistory(config: Command): void {
  const history = config
    .command('history')
    .description('show the last 50 configurations of the running gateway')
  addGlobalOptions(history).action(async () => {
    const settings = settingsOf(history)
    const { data } = (await (await running(settings)).request('GET', '/config/history')) as {
      readonly data: readonly HistoryEntry[]
    }
    if (settings.json) return printJson(data)
    const rows = data.map(({ id, time, author, changes }) => [
      String(id),
      time,
      author.name,
      changes
        .map(({ entity, change }) => `${change} ${entity}`)
        .join(', ')
        .slice(0, 80) || 'the beginning',
    ])
    print(rows.length === 0 ? 'There is none yet.' : table(['ID', 'TIME', 'BY', 'CHANGES'], rows))
  })
  const rollback = config
    .command('rollback')
    .description('put a configuration of the history in force again, files and all')
    .argument('<id>', 'its number, as history shows it')
    .option('--dry-run', 'say what would change, no more')
  addGlobalOptions(rollback).action(async (id: string) => {
    const settings = settingsOf(rollback)
    const { dryRun = false } = rollback.opts<{ dryRun?: boolean }>()
    const path = `/config/history/${encodeURIComponent(id)}/rollback${dryRun ? '?dry_run=1' : ''}`
    say((await (await running(settings)).request('POST', path)) as Replaced, settings, dryRun)
  })
}

interface Replacement {
  readonly wanted: Entity
  readonly base: Entity
  readonly dryRun: boolean
}

async function replace(gateway: GatewayAccess, settings: Settings, { wanted, base, dryRun }: Replacement) {
  if (JSON.stringify(wanted).includes(`"${masked}"`)) {
    throw new CliError(`secrets are masked (${masked}) in it; export it with --show-secrets`)
  }
  say(await gateway.replace(wanted, { base, dryRun }), settings, dryRun)
  if (!gateway.isRunning && !settings.json && !dryRun)
    print('gateway-service is not running; the change takes effect when it starts.')
}

function say({ changes, warnings }: Replaced, { json }: Settings, dryRun: boolean): void {
  if (json) return printJson({ dry_run: dryRun, changes, warnings })
  print(changesText(changes))
  for (const warning of warnings) print(`warning: ${formatProblem(warning)}`)
  if (dryRun && changes.length > 0) print('Nothing was changed: this was a dry run.')
}

/** The configuration of a folder, or the document of a file, in the words of files. */
function readDocument(path: string): Entity {
  if (!existsSync(path)) throw new CliError(`there is no ${path}`)
  if (statSync(path).isDirectory()) return loadConfiguration(path).shown as Entity
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8'), { maxAliasCount: 100 })
  } catch (error) {
    throw new CliError(`${path}: ${(error as Error).message}`)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new CliError(`${path}: expected a mapping of keys, such as "services:"`)
  }
  if (isOpenApi(document as Entity)) return fromOpenApi(document as Entity)
  return isKongFormat(document as Entity) ? fromKongFormat(document as Entity) : (document as Entity)
}

const collections = Object.keys(entitySchemas) as Collection[]
const listOf = (value: unknown): Entity[] => (Array.isArray(value) ? value : [])

function wantedFrom(path: string, base: Entity, tag: string | undefined): Entity {
  const document = readDocument(path)
  if (tag === undefined) return document
  const tagsOf = ({ tags }: Entity) => (Array.isArray(tags) ? tags : [])
  return Object.fromEntries(
    collections.flatMap((collection) => {
      const others = listOf(base[collection]).filter((entity) => !tagsOf(entity).includes(tag))
      const own = listOf(document[collection]).map((entity) => ({
        ...entity,
        tags: [...new Set([...tagsOf(entity), tag])],
      }))
      const all = [...others, ...own]
      return all.length > 0 ? [[collection, all]] : []
    }),
  )
}

/** Settings of the node stay where a document has none: they are no difference. */
function withoutSettings(base: Entity, wanted: Entity): Entity {
  return Object.fromEntries(
    Object.entries(base).filter(([key]) => Object.hasOwn(entitySchemas, key) || Object.hasOwn(wanted, key)),
  )
}

function united(base: Entity, document: Entity): Entity {
  const settings = Object.entries(document).filter(([key]) => !Object.hasOwn(entitySchemas, key))
  const lists = collections.map((collection) => {
    const added = new Map(
      listOf(document[collection]).map((entity) => [entityName(collection, entity), entity]),
    )
    const kept = listOf(base[collection]).map((entity) => {
      const name = entityName(collection, entity)
      const other = added.get(name)
      added.delete(name)
      return other ?? entity
    })
    return [collection, [...kept, ...added.values()]] as const
  })
  return Object.fromEntries([...settings, ...lists.filter(([, list]) => list.length > 0)])
}

function validateFiles({ configFolder, json }: Settings): void {
  try {
    const { configuration, warnings } = loadConfiguration(configFolder, { checkFiles: true })
    const snapshot = compile(configuration)
    const { services, routes, upstreams, consumers, plugins } = configuration
    const counts = { services, routes, upstreams, consumers, plugins }
    if (json) return printJson({ valid: true, version: snapshot.version, warnings })
    const text = Object.entries(counts).map(
      ([name, { length }]) => `${length} ${length === 1 ? name.slice(0, -1) : name}`,
    )
    print(`The configuration in ${configFolder} is right: ${text.join(', ')}.`)
    for (const warning of warnings) print(`warning: ${formatProblem(warning)}`)
  } catch (error) {
    if (!(error instanceof ConfigurationError) || !json) throw error
    printJson({ valid: false, problems: error.problems })
    process.exitCode = 1
  }
}
