import type { PluginRequest } from '../../contract.ts'
import type { SentFields } from './parameter-styles.ts'
import { decodeForm, decodePercent } from './parameter-styles.ts'

/** What a request says in its head, read when it is first asked for. */
export class SentRequest {
  readonly request: PluginRequest
  /** Values of the template of its path, as they were sent. */
  readonly pathValues: ReadonlyMap<string, string>
  #query: SentFields | undefined
  #cookies: SentFields | undefined

  constructor(request: PluginRequest, pathValues: ReadonlyMap<string, string>) {
    this.request = request
    this.pathValues = pathValues
  }

  get query(): SentFields {
    this.#query ??= encodedFields(this.request.query.slice(1))
    return this.#query
  }

  get cookies(): SentFields {
    this.#cookies ??= fieldsOf(this.header('cookie')?.split(/; */) ?? [], decodePercent)
    return this.#cookies
  }

  /** All fields of a name as one (RFC 9110, section 5.3); undefined for none. */
  header(name: string): string | undefined {
    const first = this.request.header(name)
    if (first === undefined) return undefined
    let joined: string | undefined
    for (const [field, value] of this.request.headers()) {
      if (field === name)
        joined = joined === undefined ? value : `${joined}${name === 'cookie' ? '; ' : ', '}${value}`
    }
    return joined ?? first
  }
}

/** Of a query or a form (application/x-www-form-urlencoded). Names are decoded, values are not. */
export const encodedFields = (text: string): SentFields =>
  fieldsOf(text === '' ? [] : text.split('&'), decodeForm)

function fieldsOf(parts: readonly string[], decodeName: (name: string) => string): SentFields {
  const fields = new Map<string, string[]>()
  for (const part of parts) {
    if (part === '') continue
    const end = part.indexOf('=')
    const name = decodeName(end < 0 ? part : part.slice(0, end))
    const value = end < 0 ? '' : part.slice(end + 1)
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return fields
}
