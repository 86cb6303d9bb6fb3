import { randomBytes } from 'node:crypto'

const mostProbes = 8

/** Odd, and another in each process: nobody outside can choose words that fall into one place. */
const multiplier = (randomBytes(4).readUInt32BE() | 1) >>> 0

/** The hash of a word with one more byte behind it; that of the empty word is 0. */
export const hashWith = (hash: number, byte: number): number => Math.imul(hash ^ byte, multiplier)

interface Word<Value> {
  readonly bytes: Uint8Array
  readonly value: Value
}

/**
 * What is known of words that come as bytes. To look one up makes no string and takes one pass over its bytes, beside
 * the one that makes its hash.
 */
export class WordTable<Value> {
  readonly #words: (Word<Value> | undefined)[]
  readonly #mask: number

  /** `size`: a power of two, some times the number of words. */
  constructor(size: number) {
    this.#words = new Array<Word<Value> | undefined>(size).fill(undefined)
    this.#mask = size - 1
  }

  /** Keeps what is known of a word in ASCII; not where its place and those behind it are taken. */
  add(word: string, value: Value): void {
    const bytes = new Uint8Array(Buffer.from(word, 'latin1'))
    const first = placeOf(bytes.reduce(hashWith, 0))
    for (let probe = 0; probe < mostProbes; probe++) {
      const place = (first + probe) & this.#mask
      if (this.#words[place] !== undefined) continue
      this.#words[place] = { bytes, value }
      return
    }
  }

  /** `hash`: of the bytes from `start` up to `end`. */
  find(text: Uint8Array, start: number, end: number, hash: number): Value | undefined {
    const first = placeOf(hash)
    for (let probe = 0; probe < mostProbes; probe++) {
      const word = this.#words[(first + probe) & this.#mask]
      if (word === undefined) return undefined
      if (isAt(word.bytes, text, start, end)) return word.value
    }
    return undefined
  }
}

/** The high bits of a product depend on all bits of its factors. */
const placeOf = (hash: number): number => hash >>> 13

function isAt(word: Uint8Array, text: Uint8Array, start: number, end: number): boolean {
  if (word.length !== end - start) return false
  for (let index = 0; index < word.length; index++) if (word[index] !== text[start + index]) return false
  return true
}
