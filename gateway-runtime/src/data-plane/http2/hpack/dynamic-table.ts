import type { HeaderName } from '../../http1/header-name.ts'

export interface TableField {
  readonly name: HeaderName
  readonly value: string
}

/** What a field counts for (RFC 7541 section 4.1). */
export const fieldSize = (name: string, value: string): number => name.length + value.length + 32

/** The fields that a connection has seen last, the newest first (RFC 7541 section 2.3.2). */
export class DynamicTable {
  readonly #onEvicted: ((field: TableField) => void) | undefined
  /** A ring: fields are added at the end and leave at the beginning. */
  #fields: (TableField | undefined)[] = new Array(64)
  #start = 0
  #count = 0
  #size = 0
  #maxSize: number
  /** How many fields were ever added. */
  added = 0

  constructor(maxSize: number, onEvicted?: (field: TableField) => void) {
    this.#maxSize = maxSize
    this.#onEvicted = onEvicted
  }

  get count(): number {
    return this.#count
  }

  get maxSize(): number {
    return this.#maxSize
  }

  /** 0: the newest. */
  at(index: number): TableField | undefined {
    if (index >= this.#count) return undefined
    return this.#fields[(this.#start + this.#count - 1 - index) & (this.#fields.length - 1)]
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize
    this.#evictTo(maxSize)
  }

  /** A field larger than the table empties it, and is not kept. Returns whether it is. */
  add(field: TableField): boolean {
    const size = fieldSize(field.name.lower, field.value)
    this.#evictTo(this.#maxSize - size)
    if (size > this.#maxSize) return false
    if (this.#count === this.#fields.length) this.#grow()
    this.#fields[(this.#start + this.#count) & (this.#fields.length - 1)] = field
    this.#count++
    this.#size += size
    this.added++
    return true
  }

  #evictTo(size: number): void {
    while (this.#size > size && this.#count > 0) {
      const field = this.#fields[this.#start]!
      this.#fields[this.#start] = undefined
      this.#start = (this.#start + 1) & (this.#fields.length - 1)
      this.#count--
      this.#size -= fieldSize(field.name.lower, field.value)
      this.#onEvicted?.(field)
    }
  }

  #grow(): void {
    const fields = new Array<TableField | undefined>(this.#fields.length * 2)
    for (let index = 0; index < this.#count; index++)
      fields[index] = this.#fields[(this.#start + index) & (this.#fields.length - 1)]
    this.#fields = fields
    this.#start = 0
  }
}
