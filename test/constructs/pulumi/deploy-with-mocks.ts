// Runs a program of Pulumi against mocks of its engine, and prints what it asked the engine for.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import * as pulumi from '@pulumi/pulumi'
import { getMonitor } from '@pulumi/pulumi/runtime/settings.js'
import { awsNames, type TypeNames } from '../../../constructs/pulumi/names.ts'

const [program = '', stack = '', report = ''] = process.argv.slice(2)
const resources: unknown[] = []
const calls: unknown[] = []
const options = new Map<string, object>()

const byToken = (types: Readonly<Record<string, TypeNames>>) =>
  new Map(Object.values(types).map((names) => [names.token, names]))
const resourceNames = byToken(awsNames.resources)
const dataNames = byToken(awsNames.data)

/** What the cloud would give: for texts a mark that says whose they are; where a network is expected, one. */
function computed(place: string, names: TypeNames | undefined): Record<string, unknown> {
  const value = (
    name: string,
    { shape, fields }: { shape: string; fields?: TypeNames['properties'] },
  ): unknown => {
    if (shape === 'object' || shape === 'object[]') {
      const inner = Object.entries(fields ?? {}).map(([key, field]) => [
        field.name,
        value(`${name}.${key}`, field),
      ])
      return shape === 'object' ? Object.fromEntries(inner) : [Object.fromEntries(inner)]
    }
    if (name === 'ipv6_cidr_block') return '2001:db8:1200::/56'
    if (name.endsWith('.region')) return 'eu-central-1'
    if (shape === 'number') return 1
    return shape === 'string' ? `<${place}.${name}>` : undefined
  }
  return Object.fromEntries(
    Object.entries(names?.properties ?? {}).map(([name, property]) => [property.name, value(name, property)]),
  )
}

/** How secrets are marked on their way to the engine. */
const secretMark = '4dabf18193072939515e22adb298388d'
const isSecret = (value: unknown): value is { readonly value: unknown } =>
  value !== null && typeof value === 'object' && secretMark in value

/** Without the marks of secrets, and assets by their path. */
async function plain(values: object) {
  const entries = Object.entries(values).map(async ([name, value]) =>
    pulumi.asset.Asset.isInstance(value)
      ? [name, { asset: await (value as pulumi.asset.FileAsset).path }]
      : [name, value],
  )
  const known = Object.fromEntries(await Promise.all(entries))
  return JSON.parse(JSON.stringify(known, (_, value) => (isSecret(value) ? value.value : value)))
}
const secretNames = (inputs: object) =>
  Object.entries(inputs).flatMap(([name, value]) => (isSecret(value) ? [name] : []))

await pulumi.runtime.setMocks(
  {
    newResource: async ({ type, name, inputs, provider, id }) => {
      resources.push({
        type,
        name,
        inputs: await plain(inputs),
        secrets: secretNames(inputs),
        provider,
        id,
        options: options.get(name),
      })
      const place = name.slice(name.indexOf('-') + 1)
      return { id: `<${place}.id>`, state: { ...computed(place, resourceNames.get(type)), ...inputs } }
    },
    call: async ({ token, inputs }) => {
      calls.push({ token, inputs: await plain(inputs) })
      const region = token.endsWith(':getRegion') ? { region: 'eu-central-1' } : {}
      return { ...computed(token, dataNames.get(token)), ...inputs, ...region, id: `<${token}.id>` }
    },
  },
  'gatehouse',
  stack,
  false,
)

// The mocks are not told of options, but the request holds them.
interface Request {
  getName(): string
  getProtect(): boolean
  getDeletebeforereplace(): boolean
  getIgnorechangesList(): string[]
  getDependenciesList(): string[]
  getCustomtimeouts(): { toObject(): object } | undefined
}
const monitor = getMonitor() as unknown as {
  registerResource(request: Request, ...rest: unknown[]): unknown
}
const register = monitor.registerResource.bind(monitor)
monitor.registerResource = (request, ...rest) => {
  const timeouts = request.getCustomtimeouts()?.toObject()
  options.set(request.getName(), {
    protect: request.getProtect(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    ignoreChanges: request.getIgnorechangesList(),
    dependencies: request.getDependenciesList().map((urn) => urn.split('::').at(-1)),
    ...(timeouts && { timeouts }),
  })
  return register(request, ...rest)
}

const { outputs } = await import(pathToFileURL(program).href)
const settled = await new Promise((resolve) => pulumi.output(outputs).apply(resolve))
const secrets = await Promise.all(
  Object.values((outputs ?? {}) as Record<string, unknown>).map((value) =>
    pulumi.Output.isInstance(value) ? pulumi.isSecret(value) : false,
  ),
)
await pulumi.runtime.disconnect()
writeFileSync(report, JSON.stringify({ resources, calls, outputs: settled, secrets }))
