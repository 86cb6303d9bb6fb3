import type { Fields } from '../fields.ts'
import { CR, LF } from './bytes.ts'
import { ChunkedBody } from './chunked-body.ts'
import { incomplete, readFields, scanFields } from './field-section.ts'
import { HeaderKind, type HeaderName } from './header-name.ts'
import { ParseError } from './parse-error.ts'
import { scanRequestLine, scanStatusLine, startLine } from './start-line.ts'

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
  /** Whether the sender keeps the connection open after this message, where it says how long its body is. */
  readonly keepAlive: boolean
  readonly names: readonly HeaderName[]
  /** The value of each name, without white space around it. */
  readonly values: readonly string[]
}

/** How long a body is: its bytes, or one of the two that only its end tells. */
export type BodyLength = number
export const chunked: BodyLength = -1
export const untilClose: BodyLength = -2

export interface MessageHandler {
  /** Returns how long the body is: what the fields say that frame it, which the parser itself does not heed. */
  onHead(head: MessageHead): BodyLength
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

/**
 * Parses the messages of one HTTP/1.1 connection, one after another (RFC 9112), and takes nothing that the grammar
 * does not give. Nothing of what it was given is ever passed on as raw bytes.
 *
 * A head is always parsed from contiguous bytes: one that arrives in pieces is kept (its size is bounded by
 * `headerBytes`) and parsed again from its first byte. So are trailers.
 */
export class Parser {
  readonly #isRequest: boolean
  readonly #limits: ParserLimits
  readonly #handler: MessageHandler
  readonly #onBody: (chunk: Buffer) => void
  #inHead = true
  /** A head or trailers without their end. */
  #kept: Buffer | undefined
  #bodyLeft: BodyLength = 0
  #chunks: ChunkedBody | undefined

  constructor(type: 'request' | 'response', limits: ParserLimits, handler: MessageHandler) {
    this.#isRequest = type === 'request'
    this.#limits = limits
    this.#handler = handler
    this.#onBody = (chunk) => handler.onBody(chunk)
  }

  /** Whether bytes of a message that has not ended were seen. */
  get midMessage(): boolean {
    return !this.#inHead || this.#kept !== undefined
  }

  /**
   * Takes the next bytes of the connection, from `start` up to `end`. Returns the position behind those that it used:
   * fewer than given where a message ended, so that the caller says when the next one begins. Throws ParseError, and
   * what the handler throws; the connection is then of no use.
   */
  execute(bytes: Buffer, start: number, end: number): number {
    const kept = this.#kept
    if (!kept) return this.#read(bytes, start, end)
    this.#kept = undefined
    const whole = Buffer.concat([kept, bytes.subarray(start, end)])
    return start + this.#read(whole, 0, whole.length) - kept.length
  }

  /** The sender closed its side. Returns false where that cut a message off. */
  finish(): boolean {
    if (!this.#inHead && this.#bodyLeft === untilClose) this.#complete(undefined)
    return !this.midMessage
  }

  #read(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.#inHead) {
      at = this.#readHead(bytes, start, end)
      if (at === incomplete) return this.#keep(bytes, start, end)
    }
    if (this.#bodyLeft >= 0) return this.#readCounted(bytes, at, end)
    if (this.#bodyLeft === chunked) return this.#readChunks(bytes, at, end)
    if (at < end) this.#handler.onBody(bytes.subarray(at, end))
    return end
  }

  #readCounted(bytes: Buffer, at: number, end: number): number {
    const length = Math.min(this.#bodyLeft, end - at)
    this.#bodyLeft -= length
    if (length > 0) this.#handler.onBody(bytes.subarray(at, at + length))
    if (this.#bodyLeft === 0) this.#complete(undefined)
    return at + length
  }

  #readChunks(bytes: Buffer, start: number, end: number): number {
    this.#chunks ??= new ChunkedBody(this.#limits)
    const chunks = this.#chunks
    const at = chunks.read(bytes, start, end, this.#onBody)
    if (chunks.isComplete) this.#complete(chunks.trailers)
    else if (at < end) return this.#keep(bytes, at, end)
    return at
  }

  #complete(trailers: Fields | undefined): void {
    this.#inHead = true
    this.#bodyLeft = 0
    this.#chunks = undefined
    this.#handler.onComplete(trailers)
  }

  /** The bytes may be a view into a larger buffer that is used again. */
  #keep(bytes: Buffer, start: number, end: number): number {
    if (end > start) this.#kept = Buffer.from(bytes.subarray(start, end))
    return end
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const { headerBytes, headerCount, targetBytes } = this.#limits
    const first = this.#isRequest ? this.#skipEmptyLines(bytes, start, end) : start
    const fields = this.#isRequest
      ? scanRequestLine(bytes, first, end, targetBytes)
      : scanStatusLine(bytes, first, end)
    const behind = fields === incomplete ? incomplete : scanFields(bytes, fields, end, headerCount)
    if ((behind === incomplete ? end : behind - 4) - start > headerBytes)
      throw new ParseError('header-too-large', `head over ${headerBytes} bytes`)
    if (behind === incomplete) return incomplete
    const head = this.#headOf(bytes, first, behind)
    this.#inHead = false
    this.#bodyLeft = this.#handler.onHead(head)
    return behind
  }

  /** They may stand before a request (RFC 9112 section 2.2). */
  #skipEmptyLines(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at += 2
    return at
  }

  #headOf(bytes: Buffer, start: number, end: number): MessageHead {
    const isRequest = this.#isRequest
    const text = bytes.toString('latin1', start, end)
    const { names, values } = readFields(bytes, text, start)
    const { method, targetStart, targetEnd, version, status } = startLine
    return {
      method: isRequest ? method : '',
      target: isRequest ? text.substring(targetStart - start, targetEnd - start) : '',
      status: isRequest ? 0 : status,
      version,
      keepAlive: persists(version, names, values),
      names,
      values,
    }
  }
}

/** RFC 9112 section 9.3. */
function persists(version: number, names: readonly HeaderName[], values: readonly string[]): boolean {
  let keepAlive = version === 11
  for (let index = 0; index < names.length; index++) {
    if (names[index]!.kind !== HeaderKind.connection) continue
    const value = values[index]!
    if (value === 'keep-alive') {
      keepAlive = true
      continue
    }
    const options = value
      .toLowerCase()
      .split(',')
      .map((option) => option.trim())
    if (options.includes('close')) return false
    keepAlive ||= options.includes('keep-alive')
  }
  return keepAlive
}
