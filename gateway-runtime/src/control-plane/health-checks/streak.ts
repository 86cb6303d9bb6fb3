interface Thresholds {
  readonly unhealthyAfter: number
  readonly healthyAfter: number
}

/** What is thought of a target: it changes with so many results in a row that say otherwise. */
export class Streak {
  readonly #thresholds: Thresholds
  #passes: boolean
  #against = 0

  constructor(thresholds: Thresholds, passes: boolean) {
    this.#thresholds = thresholds
    this.#passes = passes
  }

  get passes(): boolean {
    return this.#passes
  }

  /** Adds the result of a check. Returns whether `passes` changed. */
  add(passed: boolean): boolean {
    this.#against = passed === this.#passes ? 0 : this.#against + 1
    const { unhealthyAfter, healthyAfter } = this.#thresholds
    if (this.#against < (this.#passes ? unhealthyAfter : healthyAfter)) return false
    this.#passes = passed
    this.#against = 0
    return true
  }
}
