import type { FieldSink } from '../../fields.ts'
import { type HeaderName, headerName } from '../../http1/header-name.ts'
import { DynamicTable, fieldSize } from './dynamic-table.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'
import { staticIndexes, staticTable } from './static-table.ts'

/** `indexed`: worth remembering; `literal`: seldom the same again; `never`: a secret, never in a table. */
export type FieldMode = 'indexed' | 'literal' | 'never'

const secrets = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])
const unique = new Set([
  ':path',
  'content-length',
  'date',
  'etag',
  'last-modified',
  'x-request-id',
  'grpc-timeout',
])
const names = new Map(
  [':status', ':method', ':scheme', ':authority', ':path'].map((name) => [name, headerName(name)]),
)

/** Names as they are written where no table has them. */
const encodedNames = new Map<string, Uint8Array>()
const mostEncodedNames = 1_024
const longestEncodedName = 64

/** Encodes the header blocks of one direction of a connection (RFC 7541). */
export class HpackEncoder implements FieldSink {
  readonly #maxTableSize: number
  readonly #table: DynamicTable
  /** Name → value → how many fields had been added when it was: its index follows from that. */
  readonly #positions = new Map<string, Map<string, number>>()
  #block = Buffer.allocUnsafeSlow(1_024)
  #at = 0
  #updates: number[] = []

  /** `maxTableSize`: what we are willing to keep; the peer may allow less. */
  constructor(maxTableSize: number) {
    this.#maxTableSize = maxTableSize
    this.#table = new DynamicTable(maxTableSize, ({ name, value }) => {
      const values = this.#positions.get(name.lower)!
      // The same field may have been added again behind this one.
      if (this.#table.added - values.get(value)! > this.#table.count) values.delete(value)
      if (values.size === 0) this.#positions.delete(name.lower)
    })
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableSize(size: number): void {
    const next = Math.min(size, this.#maxTableSize)
    if (next === this.#table.maxSize && this.#updates.length === 0) return
    this.#table.resize(next)
    // The smallest of several counts too (RFC 7541 section 4.2).
    const smallest = Math.min(next, ...this.#updates)
    this.#updates = smallest < next ? [smallest, next] : [next]
  }

  begin(): void {
    this.#at = 0
    for (const size of this.#updates) this.#integer(0x20, 5, size)
    this.#updates = []
  }

  /** Names of pseudo-headers are given as text. Values are Latin-1. */
  field(name: HeaderName | string, value: string, mode?: FieldMode): void {
    const known = typeof name === 'string' ? names.get(name)! : name
    const { lower } = known
    const fixed = staticIndexes.get(lower)
    const whole = fixed?.values.get(value) ?? this.#dynamicIndex(lower, value)
    if (whole !== undefined) return this.#integer(0x80, 7, whole)
    const how = mode ?? (secrets.has(lower) ? 'never' : unique.has(lower) ? 'literal' : 'indexed')
    const index = fixed?.first ?? 0
    // A field that fills much of the table would only push out the others.
    const isIndexing = how === 'indexed' && fieldSize(lower, value) < this.#table.maxSize / 4
    if (isIndexing) this.#integer(0x40, 6, index)
    else this.#integer(how === 'never' ? 0x10 : 0, 4, index)
    if (index === 0) this.#name(lower)
    // What is never the same again is mostly digits, of which Huffman's code saves less than it costs.
    if (how === 'literal') this.#plain(value)
    else this.#string(value)
    if (isIndexing) this.#remember(known, value)
  }

  /** A view that is valid until the next `begin`. */
  end(): Buffer {
    return this.#block.subarray(0, this.#at)
  }

  #dynamicIndex(name: string, value: string): number | undefined {
    const position = this.#positions.get(name)?.get(value)
    return position === undefined ? undefined : staticTable.length + this.#table.added - position
  }

  #remember(name: HeaderName, value: string): void {
    if (!this.#table.add({ name, value })) return
    const values = this.#positions.get(name.lower)
    const position = this.#table.added - 1
    if (values) values.set(value, position)
    else this.#positions.set(name.lower, new Map([[value, position]]))
  }

  #integer(flags: number, prefix: number, value: number): void {
    this.#reserve(8)
    const most = (1 << prefix) - 1
    if (value < most) {
      this.#block[this.#at++] = flags | value
      return
    }
    this.#block[this.#at++] = flags | most
    let rest = value - most
    while (rest >= 0x80) {
      this.#block[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#block[this.#at++] = rest
  }

  #name(lower: string): void {
    const known = encodedNames.get(lower)
    if (known) {
      this.#reserve(known.length)
      this.#block.set(known, this.#at)
      this.#at += known.length
      return
    }
    const start = this.#at
    this.#string(lower)
    if (encodedNames.size < mostEncodedNames && lower.length <= longestEncodedName)
      encodedNames.set(lower, new Uint8Array(this.#block.subarray(start, this.#at)))
  }

  #string(text: string): void {
    const short = huffmanLength(text)
    if (short >= text.length) return this.#plain(text)
    this.#integer(0x80, 7, short)
    this.#reserve(short)
    this.#at = encodeHuffman(text, this.#block, this.#at)
  }

  #plain(text: string): void {
    this.#integer(0, 7, text.length)
    this.#reserve(text.length)
    this.#at += this.#block.write(text, this.#at, 'latin1')
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#block.length) return
    const block = Buffer.allocUnsafeSlow((this.#at + bytes) * 2)
    this.#block.copy(block, 0, 0, this.#at)
    this.#block = block
  }
}
