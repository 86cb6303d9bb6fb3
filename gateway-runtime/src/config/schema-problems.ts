import { z } from 'zod'
import { suggestion } from './nearest.ts'

/** What a schema says against a value, in words for people. */
export interface SchemaProblem {
  readonly path: readonly PropertyKey[]
  /** Whether the key is wrong or its value. */
  readonly at: 'key' | 'value'
  readonly message: string
}

export type Validated<Output> =
  | { readonly success: true; readonly data: Output }
  | { readonly success: false; readonly problems: readonly SchemaProblem[] }

/**
 * Checks a value by a schema. Messages quote what is found from `shown` in place of the value: there, secrets are
 * still references.
 */
export function validate<S extends z.ZodType>(
  schema: S,
  value: unknown,
  shown: unknown = value,
): Validated<z.output<S>> {
  const result = schema.safeParse(value, { error: expectation })
  if (result.success) return { success: true, data: result.data }
  const { issues } = result.error
  const misspelt = new Set(
    issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path.join('\0')),
  )
  return {
    success: false,
    problems: issues
      // What an entity lacks is most often what a misspelt key should have given.
      .filter(({ code, path }) => code !== 'custom' || !misspelt.has(path.join('\0')))
      .flatMap((issue) => explain(schema, issue, value, shown)),
  }
}

type Issue = z.core.$ZodIssue

function explain(schema: z.ZodType, issue: Issue, value: unknown, shown: unknown): SchemaProblem[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path, value)
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: 'key',
      message: `unknown key ${JSON.stringify(key)}${suggestion(key, known) || listOf(known)}`,
    }))
  }
  if (issue.code === 'invalid_key') {
    const why = issue.issues[0]?.message ?? issue.message
    return [{ path, at: 'key', message: `${why}, found ${display(path.at(-1))}` }]
  }
  const deeper = issue.code === 'invalid_union' ? deepestOption(issue) : undefined
  if (deeper) {
    return deeper.flatMap((inner) =>
      explain(schema, { ...inner, path: [...path, ...inner.path] }, value, shown),
    )
  }
  return [{ path, at: 'value', message: withFound(issue, valueAt(shown, path)) }]
}

/** Of a union, the option that went furthest: a list of wrong entries is not reported as no text. */
function deepestOption(issue: z.core.$ZodIssueInvalidUnion): Issue[] | undefined {
  return issue.errors.find((option) => option.every(({ path, code }) => path.length > 0 || isAboutKeys(code)))
}

const isAboutKeys = (code: string) => code === 'unrecognized_keys' || code === 'invalid_key'

function withFound(issue: Issue, found: unknown): string {
  const { message, path } = issue
  if (found === undefined && issue.code !== 'custom' && typeof path.at(-1) === 'string') {
    return `missing key ${JSON.stringify(path.at(-1))}${message.startsWith('expected') ? `: ${message}` : ''}`
  }
  if (!message.startsWith('expected')) return message
  return `${message}, found ${display(found)}${quotingAdvice(issue, found)}`
}

/** `min_tls_version: 1.3` is a number in YAML, `port: "80"` a text. */
function quotingAdvice(issue: Issue, found: unknown): string {
  if (typeof found === 'number' || typeof found === 'boolean') {
    const wanted = issue.code === 'invalid_type' && issue.expected === 'string'
    const listed = issue.code === 'invalid_value' && issue.values.includes(String(found))
    return wanted || listed ? `; put it in quotes: '${found}'` : ''
  }
  const isNumber = issue.code === 'invalid_type' && ['number', 'int'].includes(issue.expected)
  return isNumber && typeof found === 'string' && /^\d+$/.test(found)
    ? `; write it without quotes: ${found}`
    : ''
}

const mostShown = 80

/** A value as messages quote it: short, and without what is in it. */
export function display(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
  null: 'nothing',
}

const formatNames: Readonly<Record<string, string>> = {
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  cidrv4: 'an IPv4 network',
  cidrv6: 'an IPv6 network',
}

/** What a schema that has no words of its own expects. Own words of a schema come before these. */
const expectation: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${typeNames[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `expected ${alternatives(issue.values.map((value) => display(value)))}`
    case 'too_small':
      return `expected ${bound('at least', issue.minimum, issue.origin, issue.inclusive)}`
    case 'too_big':
      return `expected ${bound('at most', issue.maximum, issue.origin, issue.inclusive)}`
    case 'invalid_format':
      return `expected ${formatName(issue)}`
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`
    case 'invalid_union':
      return unionExpectation(issue)
    default:
      return undefined
  }
}

function bound(words: string, limit: number | bigint, origin: string, inclusive = true): string {
  const exact = inclusive ? words : words === 'at least' ? 'more than' : 'less than'
  if (origin === 'string') return `${exact} ${limit} ${limit === 1 ? 'character' : 'characters'}`
  if (origin === 'array') return `${exact} ${limit} ${limit === 1 ? 'entry' : 'entries'}`
  return `a number of ${exact} ${limit}`
}

function formatName(issue: {
  readonly format: string
  readonly prefix?: unknown
  readonly pattern?: unknown
}): string {
  if (issue.format === 'starts_with') return `text that begins with ${JSON.stringify(issue.prefix)}`
  return formatNames[issue.format] ?? (issue.pattern ? `text such as ${issue.pattern}` : issue.format)
}

function unionExpectation(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string | undefined {
  // Of a union by discriminator only the values that this may have are known.
  const values = (issue.options ?? []) as readonly unknown[]
  if (values.length > 0) return `expected ${alternatives(values.map((value) => display(value)))}`
  const expected = issue.errors.flatMap(
    (issues) => /^expected (.*)/s.exec(issues[0]?.message ?? '')?.[1] ?? [],
  )
  return expected.length > 0 ? `expected ${alternatives([...new Set(expected)])}` : undefined
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

const listOf = (keys: readonly string[]) => (keys.length > 0 ? `; known here: ${keys.join(', ')}` : '')

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  )
}

/** The keys that a schema knows at a path. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], value: unknown): string[] {
  const keys = objectsOf(schema, value).flatMap((object) => {
    const [segment, ...rest] = path
    if (segment === undefined) return object instanceof z.ZodObject ? Object.keys(object.shape) : []
    const inner = innerSchema(object, segment)
    return inner ? knownKeys(inner, rest, valueAt(value, [segment])) : []
  })
  return [...new Set(keys)]
}

function innerSchema(schema: z.ZodType, segment: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[String(segment)] as z.ZodType | undefined
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType
  return schema instanceof z.ZodRecord ? (schema.valueType as z.ZodType) : undefined
}

/** The containers behind defaults, options and unions; of a union by discriminator, the one that the value names. */
function objectsOf(schema: z.ZodType, value: unknown): z.ZodType[] {
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const key = schema.def.discriminator
    const options = schema.options as readonly z.ZodType[]
    const named = options.filter((option) =>
      option._zod.propValues?.[key]?.has(valueAt(value, [key]) as string),
    )
    return (named.length > 0 ? named : options).flatMap((option) => objectsOf(option, value))
  }
  if (schema instanceof z.ZodUnion) {
    return (schema.options as readonly z.ZodType[]).flatMap((option) => objectsOf(option, value))
  }
  if (schema instanceof z.ZodPipe) return objectsOf(schema.in as z.ZodType, value)
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return objectsOf(schema.unwrap() as z.ZodType, value)
  }
  return [schema]
}
