interface Generation {
  readonly number: number
  /** It may be in force from here on. */
  readonly from: number
  /** It is in force no more; Infinity while it is. */
  to: number
}

/** Which generations of the configuration were in force when: times are milliseconds of `performance.now()`. */
export class Generations {
  readonly #all: Generation[] = [{ number: 0, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }]

  get current(): number {
    return this.#all.at(-1)!.number
  }

  /** The gateway is told of the next one: from now on either may be in force. Returns its number. */
  begin(): number {
    const number = this.current + 1
    this.#all.push({ number, from: performance.now(), to: Number.POSITIVE_INFINITY })
    return number
  }

  /** The last one is in force everywhere. */
  confirm(): void {
    for (const generation of this.#all.slice(0, -1)) {
      if (generation.to === Number.POSITIVE_INFINITY) generation.to = performance.now()
    }
  }

  /** All that may have been in force at some moment of that time. */
  during(from: number, to: number): number[] {
    const numbers: number[] = []
    for (let index = this.#all.length - 1; index >= 0; index--) {
      const generation = this.#all[index]!
      if (generation.to < from) break
      if (generation.from <= to) numbers.push(generation.number)
    }
    return numbers
  }
}
