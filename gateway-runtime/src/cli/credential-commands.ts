import type { Command } from 'commander'
import { maskSecrets } from '../config/index.ts'
import { type Entity, mergePatch } from '../control-plane/admin-api/entities.ts'
import { apiKeyHash } from '../plugins/authentication/api-key.ts'
import { CliError } from './cli-error.ts'
import { openGateway } from './gateway-access.ts'
import { parsePluginSettings } from './plugin-settings.ts'
import { addGlobalOptions, settingsOf } from './settings.ts'
import { table } from './table.ts'

type Credentials = Readonly<Record<string, readonly Entity[]>>

const print = (text: string) => void process.stdout.write(`${text}\n`)
const credentialsOf = ({ credentials }: Entity) => (credentials ?? {}) as Credentials

/** `credentials list|get|add|update|delete`: those of one consumer, each with a number within its kind. */
export function addCredentialCommands(program: Command): void {
  const group = addGlobalOptions(
    program.command('credentials').description('list and change what consumers are known by'),
  )
  const command = (name: string, description: string) =>
    addGlobalOptions(
      group.command(name).description(description).argument('<consumer>', 'name of the consumer'),
    )
  const list = command('list', 'show the credentials of a consumer, without secrets')
  list.action(async (consumer: string) => {
    const settings = settingsOf(list)
    show(settings.json, await (await openGateway(settings)).get('consumers', consumer))
  })
  const get = numbered(command('get', 'show one credential, without secrets'))
  get.action(async (consumer: string, kind: string, number: string) => {
    const settings = settingsOf(get)
    const found = await (await openGateway(settings)).get('consumers', consumer)
    const index = indexOf(credentialsOf(found), consumer, kind, number)
    print(JSON.stringify(credentialsOf(maskSecrets(found))[kind]![index], null, settings.json ? 2 : 0))
  })
  const add = command('add', 'add one').argument('<kind>', 'plugin that it is for, such as key-auth')
  add.requiredOption('--set <settings>', 'what it says: "key=…" or "username=…, hash=…", or JSON')
  add.addHelpText('after', '\nOf an API key, only the hash is stored: --set key=KEY becomes --set hash=HASH.')
  add.action((consumer: string, kind: string) =>
    change(add, consumer, (before) => {
      const given = parsePluginSettings(add.opts<{ set: string }>().set) as Entity
      return { ...before, [kind]: [...(before[kind] ?? []), kind === 'key-auth' ? hashed(given) : given] }
    }),
  )
  const update = numbered(command('update', 'change what one says, and leave the rest as it is'))
  update.requiredOption(
    '--set <settings>',
    'what it says now: "key=…" or "hash=…", or JSON; null takes one away',
  )
  update.action((consumer: string, kind: string, number: string) =>
    change(update, consumer, (before) => {
      const index = indexOf(before, consumer, kind, number)
      const given = parsePluginSettings(update.opts<{ set: string }>().set) as Entity
      const changed = mergePatch(before[kind]![index], kind === 'key-auth' ? hashed(given) : given) as Entity
      return { ...before, [kind]: before[kind]!.with(index, changed) }
    }),
  )
  const remove = numbered(command('delete', 'take one away'))
  remove.action((consumer: string, kind: string, number: string) =>
    change(remove, consumer, (before) => {
      const index = indexOf(before, consumer, kind, number)
      return { ...before, [kind]: before[kind]!.toSpliced(index, 1) }
    }),
  )
}

const numbered = (command: Command): Command =>
  command.argument('<kind>', 'plugin that it is for').argument('<number>', 'as credentials list shows it')

/** @throws CliError where there is no such credential */
function indexOf(own: Credentials, consumer: string, kind: string, number: string): number {
  const index = Number(number) - 1
  if (own[kind]?.[index]) return index
  throw new CliError(`${consumer} has no ${kind} ${number}; gateway-cli credentials list ${consumer}`)
}

const hashed = ({ key, ...rest }: Entity): Entity =>
  typeof key === 'string' ? { ...rest, hash: apiKeyHash(key) } : rest

async function change(
  command: Command,
  consumer: string,
  edit: (before: Credentials) => Credentials,
): Promise<void> {
  const settings = settingsOf(command)
  const gateway = await openGateway(settings)
  const base = await gateway.configuration()
  const consumers = (base.consumers ?? []) as readonly Entity[]
  const found = await gateway.get('consumers', consumer)
  const next = { ...found, credentials: edit(credentialsOf(found)) }
  const wanted = { ...base, consumers: consumers.map((one) => (one.name === found.name ? next : one)) }
  await gateway.replace(wanted, { base, dryRun: false })
  show(settings.json, next)
}

function show(json: boolean, consumer: Entity): void {
  const credentials = credentialsOf(maskSecrets(consumer))
  if (json) return print(JSON.stringify(credentials, null, 2))
  const rows = Object.entries(credentials).flatMap(([kind, own]) =>
    own.map((one, index) => [kind, String(index + 1), JSON.stringify(one)]),
  )
  print(table(['KIND', 'NUMBER', 'SAYS'], rows))
}
