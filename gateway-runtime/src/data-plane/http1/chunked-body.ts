import type { Fields } from '../fields.ts'
import { byteClasses, CR, HTAB, isText, LF, SEMICOLON, SP } from './bytes.ts'
import { incomplete, readFields, scanFields } from './field-section.ts'
import { HeaderKind } from './header-name.ts'
import { malformed, ParseError } from './parse-error.ts'

const part = {
  size: 0,
  space: 1,
  extension: 2,
  sizeEnd: 3,
  data: 4,
  dataCr: 5,
  dataLf: 6,
  trailers: 7,
  end: 8,
} as const
type Part = (typeof part)[keyof typeof part]

const mostDigits = 13 // a number of so many hexadecimal digits is exact

/** No trailer may frame a message or rule its connection (RFC 9110 section 6.5.1). */
const refusedTrailers: ReadonlySet<HeaderKind> = new Set([
  HeaderKind.contentLength,
  HeaderKind.transferEncoding,
  HeaderKind.connection,
  HeaderKind.hopByHop,
])

export interface ChunkLimits {
  readonly headerBytes: number
  readonly headerCount: number
}

/** The value of a hexadecimal digit; -1 for any other byte. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Reads one body in chunks (RFC 9112 section 7.1), as its bytes come. */
export class ChunkedBody {
  /** Those behind the last chunk, when that was read. */
  trailers: Fields | undefined
  readonly #limits: ChunkLimits
  #part: Part = part.size
  /** Of the chunk: digits of its size seen so far, its size, then what is left of it. */
  #digits = 0
  #left = 0
  #bodyBytes = 0
  #framingBytes = 0

  constructor(limits: ChunkLimits) {
    this.#limits = limits
  }

  /** Whether the last chunk and its trailers were read. */
  get isComplete(): boolean {
    return this.#part === part.end
  }

  /**
   * Gives the pieces of the body in these bytes to `onBody`. Returns the position behind what was read: trailers
   * without their end are not, and must be given again with what comes behind them. Throws ParseError.
   */
  read(bytes: Buffer, start: number, end: number, onBody: (chunk: Buffer) => void): number {
    let at = start
    while (at < end && this.#part !== part.trailers) {
      if (this.#part === part.data) {
        const length = Math.min(this.#left, end - at)
        this.#bodyBytes += length
        this.#left -= length
        if (this.#left === 0) this.#part = part.dataCr
        onBody(bytes.subarray(at, at + length))
        at += length
      } else {
        this.#part = this.#onFraming(bytes[at++]!)
        this.#countFraming()
      }
    }
    return this.#part === part.trailers ? this.#readTrailers(bytes, at, end) : at
  }

  #onFraming(byte: number): Part {
    switch (this.#part) {
      case part.size:
        return this.#onSize(byte)
      case part.space:
        if (byte === SEMICOLON) return part.extension
        if (byte === SP || byte === HTAB) return part.space
        throw malformed('an extension of a chunk without its semicolon')
      case part.extension:
        if ((byteClasses[byte]! & isText) !== 0) return part.extension
        if (byte === CR) return part.sizeEnd
        throw malformed('a control character in an extension of a chunk')
      case part.sizeEnd:
        if (byte === LF) return this.#left === 0 ? part.trailers : part.data
        throw malformed('a bare CR behind the size of a chunk')
      case part.dataCr:
        if (byte === CR) return part.dataLf
        throw malformed('a chunk that does not end behind its data')
      default:
        if (byte !== LF) throw malformed('a chunk that does not end behind its data')
        this.#digits = 0
        return part.size
    }
  }

  #onSize(byte: number): Part {
    const digit = digitOf(byte)
    if (digit >= 0) {
      if (++this.#digits > mostDigits) throw malformed('the size of a chunk has too many digits')
      this.#left = this.#left * 16 + digit
      return part.size
    }
    if (this.#digits === 0) throw malformed('a chunk without its size')
    if (byte === CR) return part.sizeEnd
    if (byte === SEMICOLON) return part.extension
    if (byte === SP || byte === HTAB) return part.space
    throw malformed('the size of a chunk is no hexadecimal number')
  }

  /** Sizes and extensions may not outweigh the body that they frame. */
  #countFraming(): void {
    if (++this.#framingBytes > this.#limits.headerBytes + 8 * this.#bodyBytes)
      throw malformed('the extensions of chunks are too large')
  }

  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const { headerBytes, headerCount } = this.#limits
    const behind = scanFields(bytes, start, end, headerCount)
    if ((behind === incomplete ? end : behind) - start > headerBytes)
      throw new ParseError('header-too-large', `trailers over ${headerBytes} bytes`)
    if (behind === incomplete) return start
    this.#part = part.end
    if (behind - start > 2) this.trailers = readTrailers(bytes, start, behind)
    return behind
  }
}

function readTrailers(bytes: Buffer, start: number, end: number): Fields {
  const trailers = readFields(bytes, bytes.toString('latin1', start, end), start)
  if (trailers.names.some(({ kind }) => refusedTrailers.has(kind)))
    throw malformed('a trailer that frames the message or rules its connection')
  return trailers
}
