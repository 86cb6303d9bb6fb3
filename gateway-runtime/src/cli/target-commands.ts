import { type Command, InvalidArgumentError } from 'commander'
import type { Entity } from '../control-plane/admin-api/entities.ts'
import { CliError } from './cli-error.ts'
import { openGateway } from './gateway-access.ts'
import { addGlobalOptions, type Settings, settingsOf } from './settings.ts'
import { table } from './table.ts'

interface Target {
  readonly target: string
  readonly weight?: number
}

const print = (text: string) => void process.stdout.write(`${text}\n`)

function weight(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 0 to 65535')
  return Number(text)
}

const targetsOf = ({ targets }: Entity) => (targets ?? []) as readonly Target[]

/** `targets list|get|add|update|delete`: those of one upstream. */
export function addTargetCommands(program: Command): void {
  const group = addGlobalOptions(
    program.command('targets').description('list and change the targets of upstreams'),
  )
  const command = (name: string, description: string) =>
    addGlobalOptions(
      group.command(name).description(description).argument('<upstream>', 'name of the upstream'),
    )
  const list = command('list', 'show the targets of an upstream')
  list.action(async (upstream: string) => show(settingsOf(list), await read(list, upstream)))
  const get = command('get', 'show one of them').argument('<target>', 'host:port')
  get.action(async (upstream: string, target: string) => {
    const found = (await read(get, upstream)).find((one) => one.target === target)
    if (!found) throw notThere(upstream, target)
    show(settingsOf(get), [found])
  })
  const add = command('add', 'add one').argument('<target>', 'host:port')
  add.option('--weight <number>', 'share of the requests (default: 100)', weight)
  add.action((upstream: string, target: string) =>
    change(add, upstream, (targets) => {
      if (targets.some((one) => one.target === target))
        throw new CliError(`${upstream} has ${target} already`)
      const { weight } = add.opts<{ weight?: number }>()
      return [...targets, { target, ...(weight !== undefined && { weight }) }]
    }),
  )
  const update = command('update', 'change its weight').argument('<target>', 'host:port')
  update.requiredOption('--weight <number>', 'share of the requests; 0: none', weight)
  update.action((upstream: string, target: string) =>
    change(update, upstream, (targets) => {
      if (!targets.some((one) => one.target === target)) throw notThere(upstream, target)
      const { weight } = update.opts<{ weight: number }>()
      return targets.map((one) => (one.target === target ? { ...one, weight } : one))
    }),
  )
  const remove = command('delete', 'take one away').argument('<target>', 'host:port')
  remove.action((upstream: string, target: string) =>
    change(remove, upstream, (targets) => {
      if (!targets.some((one) => one.target === target)) throw notThere(upstream, target)
      return targets.filter((one) => one.target !== target)
    }),
  )
}

const notThere = (upstream: string, target: string) =>
  new CliError(
    `upstream ${upstream} has no target ${target}; gateway-cli targets list ${upstream} shows them`,
  )

const read = async (command: Command, upstream: string) =>
  targetsOf(await (await openGateway(settingsOf(command))).get('upstreams', upstream))

async function change(
  command: Command,
  upstream: string,
  edit: (targets: readonly Target[]) => readonly Target[],
): Promise<void> {
  const settings = settingsOf(command)
  const gateway = await openGateway(settings)
  const base = await gateway.get('upstreams', upstream)
  const { entity } = await gateway.update('upstreams', upstream, { targets: edit(targetsOf(base)) }, base)
  show(settings, targetsOf(entity))
}

function show({ json }: Settings, targets: readonly Target[]): void {
  if (json) print(JSON.stringify(targets, null, 2))
  else
    print(
      table(
        ['TARGET', 'WEIGHT'],
        targets.map(({ target, weight = 100 }) => [target, String(weight)]),
      ),
    )
}
