import { configurationJsonSchema } from '@gatehouse/gateway-runtime/config'

interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly minimum?: number
  readonly maximum?: number
}

const collections = ['listeners', 'services', 'routes', 'upstreams', 'plugins', 'certificates']

/** docs/configuration.md: every setting with its type, its default and what it does. */
export function configurationReference(): string {
  const { properties = {} } = configurationJsonSchema() as Schema
  const names = Object.keys(properties)
  const others = names.filter((name) => !collections.includes(name))
  const sections = [...collections, ...others.filter((name) => fieldsOf(properties[name]!) !== undefined)]
  const plain = others.filter((name) => !sections.includes(name))
  return [
    '# Settings',
    'Written by `npm run docs` from the schema that checks a configuration. Times are `5000` (milliseconds), `5000ms`, ' +
      '`5s`, `10m`, `12h` or `7d`. [guide.md](guide.md) shows how they go together.',
    ...sections.map((name) => section(name, properties[name]!)),
    '## Others',
    table(plain.map((name) => row(name, properties[name]!, false))),
  ].join('\n\n')
}

function section(name: string, schema: Schema): string {
  const isList = collections.includes(name)
  const text = isList ? `A list under \`${name}\`.` : `Under \`${name}\`.`
  return `## ${name}\n\n${text}\n\n${table(rows('', fieldsOf(schema)!))}`
}

/** The object whose fields a schema describes: its own, or those of the items of a list. */
function fieldsOf(schema: Schema): Schema | undefined {
  if (schema.properties) return schema
  return schema.items?.properties ? schema.items : undefined
}

function rows(prefix: string, { properties = {}, required = [] }: Schema): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const inner = fieldsOf(schema)
    const path = `${prefix}${name}`
    const own = row(path, schema, required.includes(name))
    if (!inner) return [own]
    return [own, ...rows(`${path}${schema.items ? '[].' : '.'}`, inner)]
  })
}

const row = (name: string, schema: Schema, isRequired: boolean): string[] => [
  `\`${name}\``,
  typeText(schema),
  isRequired ? 'required' : defaultText(schema),
  schema.description ?? '',
]

function typeText(schema: Schema): string {
  if (isTime(schema)) return 'time'
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeText))].join(', ')
  if (schema.type === 'array') return `list of ${schema.items ? typeText(schema.items) : 'anything'}`
  if (schema.type === 'object') return schema.properties ? 'settings' : 'mapping'
  return String(schema.type ?? 'anything') + range(schema)
}

function range({ minimum, maximum }: Schema): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  if (minimum === undefined || minimum === Number.MIN_SAFE_INTEGER) return ''
  return isBounded ? `, ${minimum} to ${maximum}` : `, from ${minimum}`
}

function defaultText(schema: Schema): string {
  const { default: value } = schema
  if (value === undefined) return ''
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return ''
  if (typeof value === 'number' && isTime(schema)) return `\`${timeText(value)}\``
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

/** Only a time may be a number or a text. */
const isTime = ({ anyOf }: Schema): boolean => anyOf?.map(({ type }) => type).join() === 'number,string'

function timeText(milliseconds: number): string {
  const units = [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const
  const [unit, factor] = units.find(([, size]) => milliseconds % size === 0) ?? ['ms', 1]
  return `${milliseconds / factor}${unit}`
}

const escapeCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const table = (rows: readonly string[][]): string =>
  [['setting', 'type', 'default', 'what it does'], ['-', '-', '-', '-'], ...rows]
    .map((cells) => `| ${cells.map(escapeCell).join(' | ')} |`)
    .join('\n')
