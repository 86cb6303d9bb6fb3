import type { FieldSink, Fields } from '../fields.ts'
import { HeaderKind, type HeaderName, headerName } from '../http1/header-name.ts'
import { type RequestHead, readCommonHead } from '../http1/request-head.ts'
import { fieldProblem } from './field-rules.ts'
import { ErrorCode, StreamError } from './frames.ts'

const host = headerName('host')
const cookie = headerName('cookie')
const malformed = (reason: string): never => {
  throw new StreamError(ErrorCode.protocolError, reason)
}

interface Pseudo {
  ':method'?: string
  ':scheme'?: string
  ':path'?: string
  ':authority'?: string
}
const pseudoNames = new Set([':method', ':scheme', ':path', ':authority'])
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const connectionSpecific = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
])

/**
 * A request head from a header block (RFC 9113 sections 8.2 and 8.3), checked as strictly as one of HTTP/1.1 and then
 * by the same rules. Throws StreamError for what is malformed, HeadRefused for what is refused.
 */
export function readHttp2Request(fields: Fields, endStream: boolean): RequestHead {
  const reader = new HeadReader()
  for (const [index, name] of fields.names.entries()) reader.field(name, fields.values[index]!)
  return reader.head(endStream)
}

class HeadReader implements FieldSink {
  readonly #pseudo: Pseudo = {}
  readonly #names: HeaderName[] = []
  readonly #values: string[] = []
  #cookies: string | undefined

  field(name: HeaderName, value: string): void {
    const problem = fieldProblem(name.raw, value)
    if (problem) malformed(problem)
    if (name.lower.charCodeAt(0) === 0x3a) {
      if (this.#names.length > 0) malformed('a pseudo-header behind others')
      readPseudo(this.#pseudo, name.lower, value)
    } else if (isOfConnection(name, value)) {
      malformed(`the field ${name.lower}`)
    } else if (name === cookie) {
      // Pieces of one field (RFC 9113 section 8.2.3).
      this.#cookies = this.#cookies === undefined ? value : `${this.#cookies}; ${value}`
    } else if (name.kind === HeaderKind.host) {
      this.#pseudo[':authority'] ??= value
      if (this.#pseudo[':authority'].toLowerCase() !== value.toLowerCase())
        malformed('host and :authority differ')
    } else {
      this.#names.push(name)
      this.#values.push(value)
    }
  }

  head(endStream: boolean): RequestHead {
    if (this.#cookies !== undefined) {
      this.#names.push(cookie)
      this.#values.push(this.#cookies)
    }
    return toHead(this.#pseudo, this.#names, this.#values, endStream)
  }
}

/** Fields of one connection, which HTTP/2 does not have (RFC 9113 section 8.2.2). */
const isOfConnection = ({ lower }: HeaderName, value: string): boolean =>
  connectionSpecific.has(lower) || (lower === 'te' && value.toLowerCase() !== 'trailers')

function readPseudo(pseudo: Pseudo, name: string, value: string): void {
  if (!pseudoNames.has(name)) malformed(`pseudo-header ${name}`)
  if (pseudo[name as keyof Pseudo] !== undefined) malformed(`two ${name}`)
  pseudo[name as keyof Pseudo] = value
}

function toHead(pseudo: Pseudo, names: HeaderName[], values: string[], endStream: boolean): RequestHead {
  const { ':method': method, ':scheme': scheme, ':path': path, ':authority': authority } = pseudo
  if (method === undefined || !token.test(method)) return malformed(':method')
  if (method !== 'CONNECT') {
    if (scheme !== 'http' && scheme !== 'https') return malformed(':scheme')
    if (path === undefined || !/^(\/[\x21-\x7e]*|\*)$/.test(path)) return malformed(':path')
  }
  if (authority !== undefined) {
    names.push(host)
    values.push(authority)
  }
  const head = readCommonHead({
    method,
    target: path ?? '',
    status: 0,
    version: 20,
    keepAlive: true,
    names,
    values,
  })
  const announced = names.some(({ kind }) => kind === HeaderKind.contentLength)
  if (endStream && head.contentLength !== 0) return malformed('content-length without a body')
  return announced || endStream ? head : { ...head, isChunked: true, contentLength: undefined }
}
