import { randomFillSync } from 'node:crypto'

const atOnce = 64
const digits = Buffer.from('0123456789abcdef')
const any = 'x'.charCodeAt(0)
const variant = 'y'.charCodeAt(0)

/**
 * Texts with random hexadecimal digits. Many are made at a time, in one piece: a call for random bytes costs a
 * microsecond, and a text that is put together from pieces is copied wherever it is used.
 */
export class RandomTexts {
  readonly #pattern: Buffer
  readonly #random: Buffer
  #texts = ''
  #next = 0

  /** @param pattern - ASCII; `x` stands for any digit, `y` for one of 8, 9, a and b */
  constructor(pattern: string) {
    this.#pattern = Buffer.from(pattern, 'latin1')
    this.#random = Buffer.alloc(this.#pattern.length * atOnce)
  }

  next(): string {
    if (this.#next === this.#texts.length) this.#make()
    const from = this.#next
    this.#next += this.#pattern.length
    return this.#texts.slice(from, this.#next)
  }

  #make(): void {
    const random = this.#random
    const { length } = this.#pattern
    randomFillSync(random)
    for (let index = 0; index < random.length; index++) {
      const sign = this.#pattern[index % length]!
      if (sign === any) random[index] = digits[random[index]! & 15]!
      else if (sign === variant) random[index] = digits[8 | (random[index]! & 3)]!
      else random[index] = sign
    }
    this.#texts = random.toString('latin1')
    this.#next = 0
  }
}
