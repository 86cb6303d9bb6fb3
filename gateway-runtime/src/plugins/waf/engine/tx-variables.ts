/** Variables of one request that rules set, over those that hold for all requests. Names are in lower case. */
export class TxVariables {
  readonly #shared: ReadonlyMap<string, string>
  readonly #locked: ReadonlySet<string>
  /** undefined: taken away. */
  readonly #own = new Map<string, string | undefined>()

  /** What is locked keeps its value, whatever rules set. */
  constructor(shared: ReadonlyMap<string, string> = new Map(), locked: ReadonlySet<string> = new Set()) {
    this.#shared = shared
    this.#locked = locked
  }

  get(name: string): string | undefined {
    return this.#own.has(name) ? this.#own.get(name) : this.#shared.get(name)
  }

  set(name: string, value: string | undefined): void {
    if (!this.#locked.has(name)) this.#own.set(name, value)
  }

  /** All that are set: those for all requests, then those of this one. */
  *all(): Iterable<readonly [name: string, value: string]> {
    for (const [name, value] of this.#shared) {
      const own = this.#own.has(name) ? this.#own.get(name) : value
      if (own !== undefined) yield [name, own]
    }
    for (const [name, value] of this.#own) {
      if (value !== undefined && !this.#shared.has(name)) yield [name, value]
    }
  }
}
