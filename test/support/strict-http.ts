/*
 * A second reading of HTTP/1.1, written from the grammar of RFC 9112 and RFC 9110 alone: it shares nothing with the
 * parser of the gateway, so that a mistake in one shows as a disagreement of the two. Where the RFCs let a recipient
 * choose between repairing and refusing, it refuses. Texts are latin1: a character is a byte.
 */

export type Field = readonly [name: string, value: string]
export type Framing = 'none' | 'length' | 'chunked' | 'until-close'

interface Message {
  /** Its bytes as they came. */
  readonly raw: string
  /** Of these, start line and fields with the empty line. */
  readonly rawHead: string
  readonly version: string
  readonly fields: readonly Field[]
  readonly framing: Framing
  readonly body: string
  readonly trailers: readonly Field[]
  /** Whether a chunk extension breaks its own grammar, which frames nothing: a recipient may take it or refuse it. */
  readonly hasOddExtension: boolean
  /** Whether another message may follow on the connection. */
  readonly persists: boolean
}

export interface StrictRequest extends Message {
  readonly method: string
  readonly target: string
}

export interface StrictResponse extends Message {
  readonly status: number
  readonly reason: string
}

/** The messages that a stream holds, and what it holds behind them. */
export interface Reading<M> {
  readonly messages: readonly M[]
  /**
   * `closed`: the last message ended the connection, and what follows is no message. `interim`: interim responses (1xx)
   * to a request, and no final one.
   */
  readonly rest: 'nothing' | 'incomplete' | 'malformed' | 'closed' | 'interim'
  /** Where the rest begins. */
  readonly at: number
  /** Why the rest is no message. */
  readonly reason: string
}

class Malformed extends Error {}
class Incomplete extends Error {}

const malformed = (reason: string): never => {
  throw new Malformed(reason)
}

type Content = Pick<Message, 'body' | 'trailers' | 'hasOddExtension'>
const contentOf = (body: string): Content => ({ body, trailers: [], hasOddExtension: false })

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const requestLine = new RegExp(`^(${token}) ([\\x21-\\x7e]+) HTTP/(1\\.[01])$`)
const statusLine = /^HTTP\/(1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/
const fieldLine = new RegExp(`^(${token}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*)$`)
const quoted = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const chunkLine = /^([0-9A-Fa-f]{1,13})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)$/
const extensions = new RegExp(`^(?:[ \\t]*;[ \\t]*${token}(?:[ \\t]*=[ \\t]*(?:${token}|${quoted}))?)*$`)

class Cursor {
  readonly text: string
  at: number

  constructor(text: string, at: number) {
    this.text = text
    this.at = at
  }

  /** Up to the next CRLF, which is read over. A CR or LF alone is no line end (RFC 9112 section 2.2). */
  line(): string {
    const start = this.at
    for (let at = start; at < this.text.length; at++) {
      const character = this.text[at]
      if (character === '\n') malformed('bare LF')
      if (character !== '\r') continue
      if (at + 1 === this.text.length) break
      if (this.text[at + 1] !== '\n') malformed('bare CR')
      this.at = at + 2
      return this.text.substring(start, at)
    }
    throw new Incomplete('a line without its end')
  }

  take(length: number): string {
    if (this.at + length > this.text.length) throw new Incomplete('a body without its end')
    this.at += length
    return this.text.substring(this.at - length, this.at)
  }

  takeAll(): string {
    return this.take(this.text.length - this.at)
  }
}

function readFields(cursor: Cursor): Field[] {
  const fields: Field[] = []
  for (;;) {
    const line = cursor.line()
    if (line === '') return fields
    const parts = fieldLine.exec(line) ?? malformed(`no field: ${JSON.stringify(line)}`)
    fields.push([parts[1]!, parts[2]!.replace(/[ \t]+$/, '')])
  }
}

/** Values of all fields of a name, in their order. */
export const valuesOf = (fields: readonly Field[], name: string): string[] =>
  fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1])

/** The members of a list field, lower-case (RFC 9110 section 5.6.1). */
export const listOf = (fields: readonly Field[], name: string): string[] =>
  valuesOf(fields, name)
    .flatMap((value) => value.split(','))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '')

/** RFC 9112 section 6: chunks or a length, never both, and each said once. */
function readFraming(
  version: string,
  fields: readonly Field[],
): { chunked: boolean; length: number | undefined } {
  const codings = valuesOf(fields, 'transfer-encoding')
  const lengths = valuesOf(fields, 'content-length')
  if (codings.length > 0) {
    if (version === '1.0') malformed('Transfer-Encoding in HTTP/1.0')
    if (codings.length > 1 || codings[0]!.toLowerCase() !== 'chunked')
      malformed('a coding other than chunked')
    if (lengths.length > 0) malformed('Content-Length with Transfer-Encoding')
    return { chunked: true, length: undefined }
  }
  if (lengths.length > 1) malformed('more than one Content-Length')
  if (lengths.length === 0) return { chunked: false, length: undefined }
  if (!/^\d{1,15}$/.test(lengths[0]!)) malformed('Content-Length is no number')
  return { chunked: false, length: Number(lengths[0]) }
}

const connectionFields =
  /^(content-length|transfer-encoding|connection|keep-alive|proxy-(connection|authenticate|authorization)|te|trailer|upgrade|http2-settings)$/i

/** None of them may frame a message or rule its connection (RFC 9110 section 6.5.1). */
function readTrailers(cursor: Cursor): Field[] {
  const trailers = readFields(cursor)
  if (trailers.some(([name]) => connectionFields.test(name))) malformed('a trailer of the connection')
  return trailers
}

/** RFC 9112 section 7.1. */
function readChunks(cursor: Cursor): Content {
  let body = ''
  let hasOddExtension = false
  for (;;) {
    const line = cursor.line()
    const [, digits, extension] = chunkLine.exec(line) ?? malformed(`no chunk: ${JSON.stringify(line)}`)
    hasOddExtension ||= !extensions.test(extension!)
    const size = Number.parseInt(digits!, 16)
    if (size === 0) return { body, trailers: readTrailers(cursor), hasOddExtension }
    body += cursor.take(size)
    const end = cursor.take(1) === '\r' && cursor.take(1) === '\n'
    if (!end) malformed('a chunk that does not end behind its data')
  }
}

/** RFC 9112 section 9.3. */
function persistence(version: string, fields: readonly Field[]): boolean {
  const options = listOf(fields, 'connection')
  return !options.includes('close') && (version === '1.1' || options.includes('keep-alive'))
}

function readRequest(cursor: Cursor): StrictRequest {
  while (cursor.text.startsWith('\r\n', cursor.at)) cursor.at += 2 // RFC 9112 section 2.2
  const start = cursor.at
  const [, method, target, version] = requestLine.exec(cursor.line()) ?? malformed('no request line')
  const fields = readFields(cursor)
  const rawHead = cursor.text.substring(start, cursor.at)
  const hosts = valuesOf(fields, 'host').length
  if (hosts > 1 || (hosts === 0 && version === '1.1')) malformed('not one Host')
  const { chunked, length } = readFraming(version!, fields)
  const content = chunked ? readChunks(cursor) : contentOf(cursor.take(length ?? 0))
  return {
    raw: cursor.text.substring(start, cursor.at),
    rawHead,
    method: method!,
    target: target!,
    version: version!,
    fields,
    framing: chunked ? 'chunked' : length === undefined ? 'none' : 'length',
    ...content,
    persists: persistence(version!, fields),
  }
}

/** `closed`: the sender has closed, which ends a body that nothing else ends. */
function readResponse(cursor: Cursor, method: string, closed: boolean): StrictResponse {
  const start = cursor.at
  const [, version, digits, reason] = statusLine.exec(cursor.line()) ?? malformed('no status line')
  const status = Number(digits)
  const fields = readFields(cursor)
  const rawHead = cursor.text.substring(start, cursor.at)
  const { chunked, length } = readFraming(version!, fields)
  const hasBody = status >= 200 && status !== 204 && status !== 304 && method !== 'HEAD'
  let framing: Framing = 'none'
  let content = contentOf('')
  if (hasBody && chunked) {
    framing = 'chunked'
    content = readChunks(cursor)
  } else if (hasBody && length !== undefined) {
    framing = 'length'
    content = contentOf(cursor.take(length))
  } else if (hasBody) {
    framing = 'until-close'
    content = contentOf(cursor.takeAll())
    if (!closed) throw new Incomplete('a body that ends with the connection')
  }
  return {
    raw: cursor.text.substring(start, cursor.at),
    rawHead,
    status,
    reason: reason!,
    version: version!,
    fields,
    framing,
    ...content,
    persists: framing !== 'until-close' && persistence(version!, fields),
  }
}

function readAll<M extends Message>(
  text: string,
  readOne: (cursor: Cursor, index: number) => M | 'interim',
): Reading<M> {
  const messages: M[] = []
  let at = 0
  const end = (rest: Reading<M>['rest'], reason = ''): Reading<M> => ({ messages, rest, at, reason })
  while (text.substring(at).replaceAll('\r\n', '') !== '') {
    const cursor = new Cursor(text, at)
    try {
      const message = readOne(cursor, messages.length)
      if (message === 'interim') return end('interim')
      messages.push(message)
      at = cursor.at
      if (!message.persists) return end('closed')
    } catch (error) {
      if (error instanceof Incomplete) return end('incomplete', error.message)
      if (error instanceof Malformed) return end('malformed', error.message)
      throw error
    }
  }
  return end('nothing')
}

/** The requests that a client's stream holds, up to the first that is none. */
export const readRequests = (text: string): Reading<StrictRequest> => readAll(text, readRequest)

/**
 * The final responses that a server's stream holds; interim ones (1xx) are read over. `methods`: what was asked, in
 * order; GET past its end. `closed`: whether the server has closed the connection.
 */
export function readResponses(
  text: string,
  methods: readonly string[],
  closed: boolean,
): Reading<StrictResponse> {
  return readAll(text, (cursor, index) => {
    for (;;) {
      const response = readResponse(cursor, methods[index] ?? 'GET', closed)
      if (response.status >= 200) return response
      if (cursor.at === text.length) return 'interim'
    }
  })
}
