/** What these pages read of a JSON Schema. */
export interface Schema {
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

/** The object whose fields a schema describes: its own, or those of the items of a list. */
export function fieldsOf(schema: Schema): Schema | undefined {
  if (schema.properties) return schema
  return schema.items?.properties ? schema.items : undefined
}

/** A row for each setting, those within others too. */
export function settingRows(prefix: string, { properties = {}, required = [] }: Schema): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const inner = fieldsOf(schema)
    const path = `${prefix}${name}`
    const own = settingRow(path, schema, required.includes(name))
    if (!inner) return [own]
    return [own, ...settingRows(`${path}${schema.items ? '[].' : '.'}`, inner)]
  })
}

/** Name, type, default and meaning of one setting. */
export const settingRow = (name: string, schema: Schema, isRequired: boolean): string[] => [
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

/** A Markdown table of settings. */
export const settingsTable = (rows: readonly string[][]): string =>
  [['setting', 'type', 'default', 'what it does'], ['-', '-', '-', '-'], ...rows]
    .map((cells) => `| ${cells.map(escapeCell).join(' | ')} |`)
    .join('\n')
