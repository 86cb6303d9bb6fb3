/** Which targets one pick may not choose, by their index. Kept by its owner and used again: it costs nothing made. */
export class Exclusions {
  readonly #rounds: Uint32Array
  #round = 0
  #count = 0

  constructor(targets: number) {
    this.#rounds = new Uint32Array(targets)
  }

  /** Excludes nothing any more. */
  clear(): void {
    this.#count = 0
    this.#round = (this.#round + 1) >>> 0
    if (this.#round !== 0) return
    this.#rounds.fill(0)
    this.#round = 1
  }

  add(index: number): void {
    if (this.has(index)) return
    this.#rounds[index] = this.#round
    this.#count++
  }

  has(index: number): boolean {
    return this.#count > 0 && this.#rounds[index] === this.#round
  }

  get size(): number {
    return this.#count
  }
}
