import { type HeaderName, headerName } from '../../http1/header-name.ts'
import { DynamicTable, fieldSize, type TableField } from './dynamic-table.ts'
import { HpackError } from './hpack-error.ts'
import { decodeHuffman } from './huffman.ts'
import { staticTable } from './static-table.ts'

export interface DecodedFields {
  onField(name: HeaderName, value: string): void
}

export interface BlockLimits {
  /** As SETTINGS_MAX_HEADER_LIST_SIZE counts: name, value and 32 for each field. */
  readonly listBytes: number
  readonly fields: number
}

const largestInteger = 2 ** 28

/** Decodes the header blocks of one direction of a connection, in their order (RFC 7541). */
export class HpackDecoder {
  readonly #announced: number
  readonly #table: DynamicTable
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  /** `maxTableSize`: SETTINGS_HEADER_TABLE_SIZE as we announced it. */
  constructor(maxTableSize: number) {
    this.#announced = maxTableSize
    this.#table = new DynamicTable(maxTableSize)
  }

  /**
   * Decodes a whole block. Past the limits it is decoded on, so that the table stays right, but its fields are given
   * to nobody; returns false then. Throws HpackError.
   */
  decode(block: Buffer, limits: BlockLimits, fields: DecodedFields): boolean {
    this.#bytes = block
    this.#at = 0
    this.#end = block.length
    let size = 0
    let count = 0
    while (this.#at < this.#end) {
      const first = block[this.#at]!
      if ((first & 0xe0) === 0x20) {
        if (count > 0) throw new HpackError('a table size update behind fields')
        this.#resize(this.#integer(5))
        continue
      }
      const field = this.#field(first)
      count++
      size += fieldSize(field.name.raw, field.value)
      if (size <= limits.listBytes && count <= limits.fields) fields.onField(field.name, field.value)
    }
    return size <= limits.listBytes && count <= limits.fields
  }

  #field(first: number): TableField {
    if (first & 0x80) return this.#indexed(this.#integer(7))
    const isIndexing = (first & 0x40) !== 0
    const index = this.#integer(isIndexing ? 6 : 4)
    const name = index === 0 ? headerName(this.#string()) : this.#indexed(index).name
    const field = { name, value: this.#string() }
    if (isIndexing) this.#table.add(field)
    return field
  }

  #indexed(index: number): TableField {
    const field =
      index <= staticTable.length ? staticTable[index - 1] : this.#table.at(index - staticTable.length - 1)
    if (!field) throw new HpackError(`no field has index ${index}`)
    return field
  }

  #resize(size: number): void {
    if (size > this.#announced) throw new HpackError(`a table of ${size} bytes`)
    this.#table.resize(size)
  }

  /** Section 5.1; `prefix`: how many bits of the first byte belong to it. */
  #integer(prefix: number): number {
    const most = (1 << prefix) - 1
    const start = this.#bytes[this.#at++]! & most
    if (start < most) return start
    let value = most
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) throw new HpackError('a truncated number')
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (value > largestInteger) break
      if (!(byte & 0x80)) return value
    }
    throw new HpackError('a number that is too large')
  }

  /** Section 5.2. */
  #string(): string {
    if (this.#at >= this.#end) throw new HpackError('a truncated string')
    const isHuffman = (this.#bytes[this.#at]! & 0x80) !== 0
    const length = this.#integer(7)
    const start = this.#at
    if (length > this.#end - start) throw new HpackError('a truncated string')
    this.#at += length
    return isHuffman
      ? decodeHuffman(this.#bytes, start, this.#at)
      : this.#bytes.toString('latin1', start, this.#at)
  }
}
