const window = 10_000

/**
 * Bounds retries to a part of the requests: when all of a service fails, sending everything several times over is what
 * keeps it from coming back. Counted by each worker for itself, in spans of ten seconds.
 */
export class RetryBudget {
  readonly #percent: number
  readonly #minimum: number
  #ends = 0
  #requests = 0
  #retries = 0

  /** `minimum`: retries in ten seconds that are always allowed, so that a quiet service has some. */
  constructor({ percent, minimum }: { readonly percent: number; readonly minimum: number }) {
    this.#percent = percent
    this.#minimum = minimum
  }

  /** `now`: milliseconds, monotonic. */
  countRequest(now: number): void {
    if (now >= this.#ends) {
      this.#ends = now + window
      this.#requests = 0
      this.#retries = 0
    }
    this.#requests++
  }

  /** Takes a retry out of the budget. Returns whether there was one left. */
  tryRetry(): boolean {
    if (this.#retries >= this.#minimum + (this.#requests * this.#percent) / 100) return false
    this.#retries++
    return true
  }
}
