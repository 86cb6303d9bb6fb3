import type { Command } from 'commander'
import { type Collection, entitySchemas, formatProblem } from '../config/index.ts'
import { singular } from '../control-plane/admin-api/entities.ts'
import { addCertificateCommands, issuedTable, listIssued } from './certificate-commands.ts'
import { entityOptions } from './entity-options.ts'
import { entityLines, entitySummary, entityTable } from './entity-text.ts'
import { addExplain } from './explain-command.ts'
import { type GatewayAccess, openGateway } from './gateway-access.ts'
import { addGlobalOptions, addGlobalOptionsBesideConfig, settingsOf } from './settings.ts'
import { addUpdate } from './update-command.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)
const printJson = (value: unknown) => print(JSON.stringify(value, null, 2))

/** Each collection of entities with list, get, add and delete; `routes explain`. */
export function addEntityCommands(program: Command): void {
  for (const collection of Object.keys(entitySchemas) as Collection[]) {
    const group = addGlobalOptions(
      program.command(collection).description(`list, get, add, update and delete ${collection}`),
    )
    addList(group, collection)
    addGet(group, collection)
    addAdd(group, collection)
    addUpdate(group, collection)
    addDelete(group, collection)
    if (collection === 'routes') addExplain(group)
    if (collection === 'certificates') addCertificateCommands(group)
  }
}

/** Declares what an entity is called by. */
const takeId = (command: Command, collection: Collection): Command =>
  collection === 'plugins'
    ? command.argument('<id>', 'id, as plugins list shows it')
    : command.argument('<name>', 'its name')

function addList(group: Command, collection: Collection): void {
  const list = group.command('list').description(`show all ${collection}`)
  addGlobalOptions(list).action(async () => {
    const settings = settingsOf(list)
    const entities = await (await openGateway(settings)).list(collection)
    const issued = collection === 'certificates' ? await listIssued(settings) : []
    if (settings.json) return printJson([...entities, ...issued])
    if (entities.length > 0 || issued.length === 0) print(entityTable(collection, entities))
    if (issued.length > 0) print(issuedTable(issued))
  })
}

function addGet(group: Command, collection: Collection): void {
  const get = takeId(group.command('get').description('show one of them'), collection)
  addGlobalOptions(get).action(async (id: string) => {
    const settings = settingsOf(get)
    const entity = await (await openGateway(settings)).get(collection, id)
    if (settings.json) printJson(entity)
    else print(entityLines(entity))
  })
}

function addAdd(group: Command, collection: Collection): void {
  const add = group
    .command('add')
    .description(`add a ${singular[collection]}: in force at once, and in the files`)
  entityOptions[collection].declare(add)
  const complete = collection === 'plugins' ? addGlobalOptionsBesideConfig(add) : addGlobalOptions(add)
  complete.action(async () => {
    const settings = settingsOf(add)
    const gateway = await openGateway(settings)
    const { entity, warnings } = await gateway.add(
      collection,
      await entityOptions[collection].make(add, gateway),
    )
    if (settings.json) return printJson(warnings.length > 0 ? { ...entity, warnings } : entity)
    print(`${singular[collection]} ${entity.name} added: ${entitySummary(collection, entity)}`)
    sayWhen(gateway)
    for (const warning of warnings) print(`warning: ${formatProblem(warning)}`)
  })
}

function addDelete(group: Command, collection: Collection): void {
  const remove = takeId(group.command('delete').description('take one away'), collection)
  addGlobalOptions(remove).action(async (id: string) => {
    const settings = settingsOf(remove)
    const gateway = await openGateway(settings)
    await gateway.delete(collection, id)
    if (settings.json) return printJson({ deleted: id })
    print(`${singular[collection]} ${id} deleted`)
    sayWhen(gateway)
  })
}

const sayWhen = ({ isRunning }: GatewayAccess) =>
  print(
    isRunning ? 'It is in force.' : 'gateway-service is not running; the change takes effect when it starts.',
  )
