import { randomFillSync } from 'node:crypto'

const atOnce = 64
const digits = Buffer.from('0123456789abcdef')

/**
 * Texts with random hexadecimal digits. Many are made at a time, in one piece: a call for random bytes costs a
 * microsecond, and a text that is put together from pieces is copied wherever it is used.
 */
export class RandomTexts {
  readonly #length: number
  /** Of so many texts, one behind the other. */
  readonly #signs: Buffer
  /** Where a digit of them is random, and where one of four is. */
  readonly #digitsAt: readonly number[]
  readonly #variantsAt: readonly number[]
  /** A byte is two digits. */
  readonly #random: Buffer
  #texts = ''
  #next = 0

  /** @param pattern - ASCII; `x` stands for any digit, `y` for one of 8, 9, a and b */
  constructor(pattern: string) {
    const all = pattern.repeat(atOnce)
    const placesOf = (sign: string) => [...all].flatMap((other, at) => (other === sign ? [at] : []))
    this.#length = pattern.length
    this.#signs = Buffer.from(all, 'latin1')
    this.#digitsAt = placesOf('x')
    this.#variantsAt = placesOf('y')
    this.#random = Buffer.alloc(Math.ceil((this.#digitsAt.length + this.#variantsAt.length) / 2))
  }

  next(): string {
    if (this.#next === this.#texts.length) this.#make()
    const from = this.#next
    this.#next += this.#length
    return this.#texts.slice(from, this.#next)
  }

  #make(): void {
    randomFillSync(this.#random)
    let taken = 0
    const take = () => {
      const byte = this.#random[taken >> 1]!
      return taken++ % 2 === 0 ? byte & 15 : byte >> 4
    }
    for (const at of this.#digitsAt) this.#signs[at] = digits[take()]!
    for (const at of this.#variantsAt) this.#signs[at] = digits[8 | (take() & 3)]!
    this.#texts = this.#signs.toString('latin1')
    this.#next = 0
  }
}
