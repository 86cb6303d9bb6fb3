import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
  ScalarType,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import type { HttpRule } from './http-rules.ts'

/** What of a request cannot be read, for the client. */
export class UnreadableRequest extends Error {}

/**
 * The message of a request, of its path, query and body. The path wins over the query.
 * @throws UnreadableRequest
 */
export function requestMessage(
  message: DescMessage,
  rule: HttpRule,
  given: {
    readonly path: ReadonlyMap<string, string>
    readonly query: URLSearchParams
    /** Parsed; undefined: none was sent. */
    readonly body: JsonValue | undefined
  },
  registry: Registry,
): Buffer {
  try {
    const json = jsonOf(message, rule, given)
    return Buffer.from(toBinary(message, fromJson(message, json, { registry })))
  } catch (error) {
    throw error instanceof UnreadableRequest ? error : new UnreadableRequest((error as Error).message)
  }
}

function jsonOf(
  message: DescMessage,
  { body: field }: HttpRule,
  { path, query, body }: Parameters<typeof requestMessage>[2],
): JsonObject {
  const json: JsonObject = {}
  if (field === '*') Object.assign(json, objectOf(body))
  // Where the body is the whole message, google.api.http has no query.
  else for (const name of new Set(query.keys())) setField(json, message, name, query.getAll(name))
  if (field !== '*' && field !== '' && body !== undefined) json[fieldOf(message, field).jsonName] = body
  for (const [name, value] of path) setField(json, message, name, [value])
  return json
}

function objectOf(body: JsonValue | undefined): JsonObject {
  if (body === undefined) return {}
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
  throw new UnreadableRequest('the body is no JSON object')
}

function fieldOf(message: DescMessage, name: string): DescField {
  const field = message.fields.find((found) => found.name === name || found.jsonName === name)
  if (field) return field
  throw new UnreadableRequest(`there is no field ${name.slice(0, 100)} in ${message.typeName}`)
}

function setField(json: JsonObject, message: DescMessage, path: string, values: readonly string[]): void {
  const [name = '', ...rest] = path.split('.')
  const field = fieldOf(message, name)
  if (rest.length > 0) {
    if (field.fieldKind !== 'message') throw new UnreadableRequest(`${name.slice(0, 100)} has no fields`)
    const inner = objectOf((json[field.jsonName] as JsonValue | undefined) ?? {})
    setField(inner, field.message, rest.join('.'), values)
    json[field.jsonName] = inner
    return
  }
  const read = values.map((value) => jsonValue(field, value))
  json[field.jsonName] = field.fieldKind === 'list' ? read : read.at(-1)!
}

/** Numbers may be strings in the JSON of protobuf; truth may not. */
function jsonValue(field: DescField, text: string): JsonValue {
  const isTruth = field.scalar === ScalarType.BOOL || field.message?.typeName === 'google.protobuf.BoolValue'
  if (isTruth && (text === 'true' || text === 'false')) return text === 'true'
  const isNumbered = field.enum !== undefined && /^-?\d{1,10}$/.test(text)
  return isNumbered ? Number(text) : text
}

/** An answer as JSON text. */
export function answerJson(
  message: DescMessage,
  { responseBody }: HttpRule,
  bytes: Uint8Array,
  registry: Registry,
  defaults: boolean,
): string {
  const json = toJson(message, fromBinary(message, bytes), { registry, alwaysEmitImplicit: defaults })
  if (responseBody === '') return JSON.stringify(json)
  const { jsonName } = fieldOf(message, responseBody)
  return JSON.stringify((json as JsonObject)[jsonName] ?? null)
}
