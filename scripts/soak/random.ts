/** Random numbers that a seed repeats (mulberry32: 32 bits of state, good enough to choose by). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number; both ends are possible. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  /** A whole number whose magnitude is what is even: as many from 1 to 10 as from 100 to 1,000. */
  magnitude(max: number): number {
    return Math.min(max, Math.floor((max + 1) ** this.next()))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!
  }

  /** Another one, whose numbers do not depend on how many are taken of this one later. */
  fork(): Random {
    return new Random(this.between(0, 2 ** 32 - 1))
  }
}
