import type { ValidateFunction } from 'ajv/dist/2020.js'
import type { PluginRequest, ProblemReply } from '../../contract.ts'
import {
  decodeForm,
  decodeTexts,
  readFields,
  type SentFields,
  Unreadable,
  type Writing,
} from './parameter-styles.ts'
import { describeErrors, type Place, type SchemaSource } from './schema-source.ts'
import { encodedFields } from './sent-request.ts'
import { type Texts, TypedValues } from './typed-values.ts'

const deepest = 100
const json = /^application\/([a-z0-9.+-]+\+)?json$/
const form = 'application/x-www-form-urlencoded'

/** What is wrong with the bytes of a body; empty where they are right. */
export type CheckBody = (body: Buffer) => string[]

/** How fields of a form are written, where they are not as by default. */
export type FieldWritings = Readonly<Record<string, Omit<Writing, 'name'>>>

export interface BodySettings {
  readonly required: boolean
  /** By media type, or range of them, as `text/*` or all; undefined: not looked into. */
  readonly checks: ReadonlyMap<string, CheckBody | undefined>
}

/**
 * Checks the body of a request.
 * @returns a refusal, or what is wrong with it
 */
export async function checkBody(
  request: PluginRequest,
  { required, checks }: BodySettings,
  limit: number,
): Promise<ProblemReply | string[]> {
  const { contentLength } = request
  const contentType = request.header('content-type')
  const isMissing =
    contentLength === 0 || (contentLength === undefined && (await request.body(limit)).length === 0)
  if (isMissing) return required ? ['the body is missing'] : []
  const type = mediaType(contentType)
  const key = [type, `${type.split('/')[0]}/*`, '*/*'].find((range) => checks.has(range))
  if (key === undefined) return unsupported(contentType, [...checks.keys()])
  const check = checks.get(key)
  if (!check) return []
  if (!/^(identity)?$/i.test(request.header('content-encoding') ?? '')) return encoded
  return check(await request.body(limit))
}

const encoded: ProblemReply = {
  status: 415,
  code: 'encoded-body',
  detail: 'The body must not have a content-encoding.',
}

const unsupported = (sent: string | undefined, types: readonly string[]): ProblemReply => ({
  status: 415,
  code: 'unsupported-media-type',
  detail: `The body must be ${types.join(' or ')}${sent === undefined ? ', and its Content-Type must say so' : ''}.`,
})

/** Without its parameters, in lower case. */
export const mediaType = (contentType = ''): string => contentType.split(';')[0]!.trim().toLowerCase()

/** Whether bodies of a media type are looked into. */
export const isChecked = (type: string): boolean =>
  json.test(type) || type === form || type.startsWith('text/')

/**
 * The check of bodies of a media type, which must be one that `isChecked`.
 * @throws DocumentError
 */
export function bodyCheck(
  type: string,
  source: SchemaSource,
  schema: Place,
  writings: FieldWritings,
): CheckBody {
  const validate = source.compile(schema)
  if (json.test(type)) return (body) => jsonProblems(body, validate)
  if (type === form) return formCheck(validate, source, schema, writings)
  return (body) => (validate(body.toString('utf8')) ? [] : describeErrors(validate.errors, 'body'))
}

export function jsonProblems(body: Buffer, validate: ValidateFunction): string[] {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return ['the body is not JSON']
  }
  if (isDeeper(value, deepest)) return [`the body is nested more than ${deepest} levels deep`]
  return validate(value) ? [] : describeErrors(validate.errors, 'body')
}

/** Validators follow a value down by calling themselves. */
const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1)))

function formCheck(
  validate: ValidateFunction,
  source: SchemaSource,
  schema: Place,
  writings: FieldWritings,
): CheckBody {
  const values = new TypedValues(source, schema)
  return (body) => {
    const fields = formFields(encodedFields(body.toString('utf8')), values, writings)
    if (!(fields instanceof Map)) return [fields]
    return validate(values.fields(fields)) ? [] : describeErrors(validate.errors, 'body')
  }
}

/** What each field says; a sentence where one cannot be read. */
function formFields(
  sent: SentFields,
  values: TypedValues,
  writings: FieldWritings,
): Map<string, Texts> | string {
  const fields = new Map<string, Texts>()
  const left = new Map(sent)
  for (const [name, writing] of Object.entries(writings)) {
    const texts = readFields(sent, { name, ...writing }, values.kindOf(name), () => false)
    if (texts instanceof Unreadable) return `body/${name} ${texts.reason}`
    if (texts !== undefined) fields.set(name, decodeTexts(texts, decodeForm))
    left.delete(name)
    if (writing.style !== 'deepObject') continue
    for (const field of sent.keys()) if (field.startsWith(`${name}[`)) left.delete(field)
  }
  for (const [name, texts] of left) fields.set(name, decodeTexts(texts, decodeForm))
  return fields
}
