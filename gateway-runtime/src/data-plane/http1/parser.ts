// @ts-expect-error: a Buffer; undici has no types for its internals
import llhttp from 'undici/lib/llhttp/llhttp_simd-wasm.js'
import type { Fields } from '../fields.ts'
import { HeaderKind, type HeaderName, headerName } from './header-name.ts'

/*
 * llhttp, the parser of Node.js itself, as the WebAssembly build that undici ships. It decides where a message
 * begins and ends, in its strict mode; nothing of what it was given is ever passed on as raw bytes.
 */

interface LlhttpExports {
  memory: WebAssembly.Memory
  _initialize(): void
  malloc(size: number): number
  free(pointer: number): void
  llhttp_alloc(type: number): number
  llhttp_free(parser: number): void
  llhttp_reset(parser: number): void
  llhttp_execute(parser: number, data: number, length: number): number
  llhttp_finish(parser: number): number
  llhttp_resume(parser: number): void
  llhttp_resume_after_upgrade(parser: number): void
  llhttp_get_error_pos(parser: number): number
  llhttp_get_error_reason(parser: number): number
  llhttp_get_method(parser: number): number
  llhttp_method_name(method: number): number
  llhttp_get_http_major(parser: number): number
  llhttp_get_http_minor(parser: number): number
}

const statusLineHead = 'HTTP/1.1 200'

/** The head of a message; it belongs to the handler that is given it. */
export interface MessageHead {
  /** '' in a response. */
  readonly method: string
  /** The request target as it was sent; '' in a response. */
  readonly target: string
  /** 0 in a request. */
  readonly status: number
  /** 10 for HTTP/1.0, 11 for HTTP/1.1. */
  readonly version: number
  /** Whether the sender keeps the connection open after this message. */
  readonly keepAlive: boolean
  readonly names: readonly HeaderName[]
  /** The value of each name, without white space around it. */
  readonly values: readonly string[]
}

export interface MessageHandler {
  /** Returns whether a body may follow; false for the answer to a HEAD request. */
  onHead(head: MessageHead): boolean
  /** A piece of the body, without its framing; a view of the bytes given to `execute`. */
  onBody(chunk: Buffer): void
  /** The message ended, with the trailers of a chunked body. The parser stops until `execute` is called again. */
  onComplete(trailers: Fields | undefined): void
}

export interface ParserLimits {
  readonly headerBytes: number
  readonly headerCount: number
  readonly targetBytes: number
}

/** Why a message was refused; `reason` is for the log. */
export class ParseError extends Error {
  override readonly name = 'ParseError'
  readonly kind: 'malformed' | 'header-too-large' | 'target-too-large'
  constructor(kind: ParseError['kind'], reason: string) {
    super(reason)
    this.kind = kind
  }
}

const framingTooLarge = () => new ParseError('malformed', 'chunk extensions or trailers too large')

const result = { ok: 0, headersComplete: 17, paused: 21, pausedUpgrade: 22, user: 24 } as const
export const parserType = { request: 1, response: 2 } as const
const inputSize = 65_536 // what one read of a socket gives at the most

let current: Parser
const wasm = new WebAssembly.Instance(new WebAssembly.Module(llhttp), {
  env: {
    wasm_on_message_begin: () => current.onMessageBegin(),
    wasm_on_url: (_: number, at: number, length: number) => current.onTarget(at, length),
    wasm_on_status: (_: number, at: number, length: number) => current.onReason(at, length),
    wasm_on_header_field: (_: number, at: number, length: number) => current.onHeaderField(at, length),
    wasm_on_header_value: (_: number, at: number, length: number) => current.onHeaderValue(at, length),
    wasm_on_headers_complete: (_: number, status: number, _upgrade: number, keepAlive: number) =>
      current.onHeadersComplete(status, keepAlive === 1),
    wasm_on_body: (_: number, at: number, length: number) => current.onBodyPiece(at, length),
    wasm_on_message_complete: () => current.onMessageComplete(),
  },
}).exports as unknown as LlhttpExports
wasm._initialize()

let input = wasm.malloc(inputSize)
let inputCapacity = inputSize
let memory = Buffer.from(wasm.memory.buffer)

function copyIn(chunk: Buffer): void {
  if (chunk.length > inputCapacity) {
    wasm.free(input)
    inputCapacity = chunk.length
    input = wasm.malloc(inputCapacity)
  }
  // The memory may have grown, which leaves the old view without bytes.
  if (memory.length !== wasm.memory.buffer.byteLength) memory = Buffer.from(wasm.memory.buffer)
  memory.set(chunk, input)
}

function readText(pointer: number): string {
  return memory.toString('latin1', pointer, memory.indexOf(0, pointer))
}

const methodNames: string[] = []
for (let method = 0; method < 47; method++) methodNames.push(readText(wasm.llhttp_method_name(method)))

// Where name and value of each field begin and end. One for all parsers: a head is parsed in one go.
const mostHeaders = 1_000
const offsets = new Int32Array(mostHeaders * 4)

/**
 * Parses the messages of one connection, one after another.
 *
 * A head is always parsed from contiguous bytes: one that arrives in pieces is kept (its size is bounded by
 * `headerBytes`) and parsed again from its first byte.
 */
export class Parser {
  readonly #pointer: number
  readonly #isRequest: boolean
  readonly #limits: ParserLimits
  readonly #handler: MessageHandler
  #count = 0
  /** Where the first line of the head begins in the current chunk. */
  #lineStart = 0
  #targetStart = 0
  #targetEnd = 0
  #inHead = true
  #failure: ParseError | undefined
  #thrown: unknown
  #chunk: Buffer = Buffer.alloc(0)
  #partialHead: Buffer | undefined
  #bodyBytes = 0
  /** Where the body begins in the current chunk: behind the head, or at 0. */
  #bodyStart = 0
  /** Bytes behind the head, framing included, that earlier chunks held. */
  #bodyPosition = 0
  /** Names and values in turn; a piece of either may come with each chunk. */
  #trailers: string[] | undefined
  #trailerPart: 0 | 1 = 1

  constructor(type: 1 | 2, limits: ParserLimits, handler: MessageHandler) {
    this.#pointer = wasm.llhttp_alloc(type)
    this.#isRequest = type === parserType.request
    this.#limits = limits
    this.#handler = handler
  }

  /** Gives memory back; the parser must not be used after it. */
  free(): void {
    wasm.llhttp_free(this.#pointer)
  }

  /** Whether bytes of a message that has not ended were seen. */
  get midMessage(): boolean {
    return !this.#inHead || this.#partialHead !== undefined
  }

  /**
   * Takes the next bytes of the connection. Returns how many of them were used: fewer than given where a message
   * ended, so that the caller says when the next one begins. Throws ParseError; the connection is then of no use.
   */
  execute(bytes: Buffer): number {
    const kept = this.#partialHead
    if (kept) {
      this.#partialHead = undefined
      wasm.llhttp_reset(this.#pointer)
      const used = this.#execute(Buffer.concat([kept, bytes]))
      return used - kept.length
    }
    return this.#execute(bytes)
  }

  #execute(chunk: Buffer): number {
    if (this.#inHead) this.#lineStart = this.#findFirstLine(chunk)
    copyIn(chunk)
    current = this
    this.#chunk = chunk
    this.#bodyStart = 0
    const code = wasm.llhttp_execute(this.#pointer, input, chunk.length)
    let used = chunk.length
    if (code !== result.ok) {
      if (this.#thrown !== undefined) this.#rethrow()
      if (code === result.paused || code === result.pausedUpgrade) {
        used = wasm.llhttp_get_error_pos(this.#pointer) - input
        if (code === result.paused) wasm.llhttp_resume(this.#pointer)
        else return this.#passUpgrade(chunk, used)
      } else {
        throw (
          this.#failure ?? new ParseError('malformed', readText(wasm.llhttp_get_error_reason(this.#pointer)))
        )
      }
    }
    if (this.#inHead) {
      if (code === result.ok && chunk.length > 0) this.#keepPartialHead(chunk)
    } else {
      this.#bodyPosition += chunk.length - this.#bodyStart
      if (this.#framingIsTooLarge(this.#bodyPosition)) throw framingTooLarge()
    }
    return used
  }

  /**
   * Behind empty lines, which may stand before a request (RFC 9112 section 2.2). llhttp would also read over any CR
   * and LF that is no line end, and before a response.
   */
  #findFirstLine(chunk: Buffer): number {
    let start = 0
    if (chunk[0]! > 0x20) return start
    while (this.#isRequest && chunk[start] === 0x0d && chunk[start + 1] === 0x0a) start += 2
    const first = chunk[start]
    const mayBecomeLineEnd = this.#isRequest && first === 0x0d && start + 1 === chunk.length
    if (first !== undefined && first <= 0x20 && !mayBecomeLineEnd)
      throw new ParseError('malformed', 'no line of HTTP/1.1 begins so')
    return start
  }

  /** An offer to upgrade that nobody took up: what follows is HTTP/1.1 as before (RFC 9110 section 7.8). */
  #passUpgrade(chunk: Buffer, used: number): number {
    wasm.llhttp_resume_after_upgrade(this.#pointer)
    return used === 0 ? this.#execute(chunk) : used
  }

  /** The sender closed its side. Returns false where that cut a message off. */
  finish(): boolean {
    current = this
    this.#chunk = Buffer.alloc(0)
    const code = wasm.llhttp_finish(this.#pointer)
    if (this.#thrown !== undefined) this.#rethrow()
    return (code === result.ok || code === result.paused) && !this.midMessage
  }

  #keepPartialHead(chunk: Buffer): void {
    if (chunk.length > this.#limits.headerBytes) throw this.#tooLarge()
    // The bytes may be a view into a larger buffer that is used again.
    this.#partialHead = Buffer.from(chunk)
    this.#count = 0
  }

  #tooLarge(): ParseError {
    return this.#targetEnd - this.#targetStart > this.#limits.targetBytes
      ? new ParseError('target-too-large', `request target over ${this.#limits.targetBytes} bytes`)
      : new ParseError('header-too-large', `head over ${this.#limits.headerBytes} bytes`)
  }

  /** Chunk sizes, extensions and trailers may not outweigh the body that they frame. */
  #framingIsTooLarge(position: number): boolean {
    return position - this.#bodyBytes > this.#limits.headerBytes + 8 * this.#bodyBytes
  }

  #rethrow(): never {
    const thrown = this.#thrown
    this.#thrown = undefined
    throw thrown
  }

  #fail(error: ParseError): number {
    this.#failure = error
    return result.user
  }

  onMessageBegin(): number {
    this.#inHead = true
    this.#count = 0
    this.#targetStart = -1
    this.#targetEnd = -1
    this.#bodyBytes = 0
    this.#bodyPosition = 0
    this.#trailers = undefined
    this.#trailerPart = 1
    return 0
  }

  onTarget(at: number, length: number): number {
    if (this.#targetStart < 0) this.#targetStart = at - input
    this.#targetEnd = at - input + length
    if (this.#targetEnd - this.#targetStart > this.#limits.targetBytes) return this.#fail(this.#tooLarge())
    return 0
  }

  /** The reason phrase, which is not passed on: llhttp takes any byte but a line end (RFC 9112 section 4). */
  onReason(at: number, length: number): number {
    for (let position = at - input; position < at - input + length; position++) {
      const byte = this.#chunk[position]!
      if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f)
        return this.#fail(new ParseError('malformed', 'control character in the reason phrase'))
    }
    return 0
  }

  onHeaderField(at: number, length: number): number {
    if (!this.#inHead) return this.#onTrailerPiece(0, at, length)
    if (this.#count >= this.#limits.headerCount) {
      return this.#fail(new ParseError('header-too-large', `over ${this.#limits.headerCount} header fields`))
    }
    const field = this.#count++ * 4
    const start = at - input
    offsets[field] = start
    offsets[field + 1] = start + length
    offsets[field + 2] = start + length
    offsets[field + 3] = start + length
    return 0
  }

  onHeaderValue(at: number, length: number): number {
    if (!this.#inHead) return this.#onTrailerPiece(1, at, length)
    const field = this.#count * 4 - 4
    offsets[field + 2] = at - input
    offsets[field + 3] = at - input + length
    return 0
  }

  /** `part`: 0 for a name, 1 for a value. Trailers are kept apart: they never become part of the header. */
  #onTrailerPiece(part: 0 | 1, at: number, length: number): number {
    this.#trailers ??= []
    const trailers = this.#trailers
    if (part === 0 && this.#trailerPart === 1) trailers.push('', '')
    trailers[trailers.length - 2 + part] += this.#chunk.toString('latin1', at - input, at - input + length)
    this.#trailerPart = part
    if (trailers.length <= this.#limits.headerCount * 2) return 0
    return this.#fail(new ParseError('header-too-large', `over ${this.#limits.headerCount} trailers`))
  }

  onHeadersComplete(status: number, keepAlive: boolean): number {
    try {
      const head = this.#readHead(status, keepAlive)
      this.#inHead = false
      return this.#handler.onHead(head) ? 0 : 1
    } catch (error) {
      this.#thrown = error
      return -1
    }
  }

  #readHead(status: number, keepAlive: boolean): MessageHead {
    const count = this.#count
    const end = count > 0 ? offsets[count * 4 - 1]! : Math.max(this.#targetEnd, 0)
    if (end > this.#limits.headerBytes) throw this.#tooLarge()
    this.#bodyStart = Math.min(end + 4, this.#chunk.length)
    const text = this.#chunk.toString('latin1', 0, end)
    const names: HeaderName[] = new Array(count)
    const values: string[] = new Array(count)
    for (let field = 0, at = 0; field < count; field++, at += 4) {
      const name = headerName(text.substring(offsets[at]!, offsets[at + 1]!))
      names[field] = name
      values[field] = text.substring(offsets[at + 2]!, this.#trimmedEnd(offsets[at + 2]!, offsets[at + 3]!))
      // llhttp does not know `chunked` before a tab and would read the body to the end of the connection.
      if (name.kind === HeaderKind.transferEncoding && this.#chunk[offsets[at + 3]! - 1] === 0x09)
        throw new ParseError('malformed', 'a tab behind the transfer coding')
    }
    const isRequest = this.#isRequest
    const method = isRequest ? methodNames[wasm.llhttp_get_method(this.#pointer)]! : ''
    if (isRequest) this.#checkRequestLine(method)
    else this.#checkStatusLine()
    return {
      method,
      target: isRequest ? text.substring(this.#targetStart, this.#targetEnd) : '',
      status,
      version: wasm.llhttp_get_http_major(this.#pointer) * 10 + wasm.llhttp_get_http_minor(this.#pointer),
      keepAlive,
      names,
      values,
    }
  }

  /** One space on each side of the target (RFC 9112 section 3): llhttp takes any number. */
  #checkRequestLine(method: string): void {
    const before = this.#targetStart - this.#lineStart - method.length
    const behind = this.#chunk[this.#targetEnd + 1]
    if (before === 1 && (behind === 0x48 || behind === undefined)) return
    throw new ParseError('malformed', 'more than one space in the request line')
  }

  /** A space behind the status, also without a reason, and one line end (RFC 9112 section 4): llhttp is lenient. */
  #checkStatusLine(): void {
    const chunk = this.#chunk
    if (chunk[this.#lineStart + statusLineHead.length] !== 0x20)
      throw new ParseError('malformed', 'no space behind the status')
    const end = chunk.indexOf(0x0d, this.#lineStart)
    if (chunk.indexOf(0x0a, this.#lineStart) !== end + 1)
      throw new ParseError('malformed', 'a bare CR or LF in the status line')
  }

  #trimmedEnd(start: number, end: number): number {
    let last = end
    while (last > start && (this.#chunk[last - 1] === 0x20 || this.#chunk[last - 1] === 0x09)) last--
    return last
  }

  onBodyPiece(at: number, length: number): number {
    const start = at - input
    if (this.#framingIsTooLarge(this.#bodyPosition + start - this.#bodyStart))
      return this.#fail(framingTooLarge())
    this.#bodyBytes += length
    try {
      this.#handler.onBody(this.#chunk.subarray(start, start + length))
      return 0
    } catch (error) {
      this.#thrown = error
      return -1
    }
  }

  onMessageComplete(): number {
    this.#inHead = true
    try {
      this.#handler.onComplete(this.#trailers && readTrailers(this.#trailers))
      return result.paused
    } catch (error) {
      this.#thrown = error
      return -1
    }
  }
}

/** llhttp looks only at some of these, and heeds `Connection` behind a body, where it says nothing any more. */
const refusedTrailers: ReadonlySet<HeaderKind> = new Set([
  HeaderKind.contentLength,
  HeaderKind.transferEncoding,
  HeaderKind.connection,
  HeaderKind.hopByHop,
])

/** No trailer may frame a message or rule its connection (RFC 9110 section 6.5.1). Throws ParseError. */
function readTrailers(pieces: readonly string[]): Fields {
  const names = pieces.filter((_, index) => index % 2 === 0).map(headerName)
  if (names.some(({ kind }) => refusedTrailers.has(kind)))
    throw new ParseError('malformed', 'a trailer that frames the message or rules its connection')
  const values = pieces.filter((_, index) => index % 2 === 1)
  return { names, values: values.map((value) => value.replace(/[ \t]+$/, '')) }
}
