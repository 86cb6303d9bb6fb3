import { createHash } from 'node:crypto'

const largestUnit = 65_536
const markLength = 16

/** The mark that all bytes of a request or its answer are made of: 16 characters. */
export const markOf = (direction: 'request' | 'answer', id: number): string =>
  `${direction === 'request' ? '>' : '<'}${id.toString(36).padStart(markLength - 2, '.')}|`

/** A body that says on every 16 bytes whose it is. */
export class Payload {
  readonly size: number
  readonly #unit: Buffer

  /** `size`: in bytes. */
  constructor(mark: string, size: number) {
    this.size = size
    const whole = Math.ceil(size / markLength) * markLength
    this.#unit = Buffer.alloc(Math.min(largestUnit, whole), mark, 'latin1')
  }

  /** The bytes from one offset up to another, in pieces. */
  *pieces(from = 0, to = this.size, largest = largestUnit): Generator<Buffer> {
    for (let offset = from; offset < to; ) {
      const start = offset % this.#unit.length
      const length = Math.min(largest, to - offset, this.#unit.length - start)
      yield this.#unit.subarray(start, start + length)
      offset += length
    }
  }

  /** Whether these are the bytes at that offset. */
  matches(chunk: Buffer, offset: number): boolean {
    if (offset + chunk.length > this.size) return false
    let seen = 0
    for (const piece of this.pieces(offset, offset + chunk.length)) {
      if (piece.compare(chunk, seen, seen + piece.length) !== 0) return false
      seen += piece.length
    }
    return true
  }

  /** In hexadecimal. */
  sha256(): string {
    const hash = createHash('sha256')
    for (const piece of this.pieces()) hash.update(piece)
    return hash.digest('hex')
  }
}
