/** Allows `burst` events at once and `rate` a second after that. */
export class TokenBucket {
  readonly #burst: number
  readonly #rate: number
  #tokens: number
  #at = performance.now()

  constructor(burst: number, rate: number) {
    this.#burst = burst
    this.#rate = rate
    this.#tokens = burst
  }

  /** Whether one more event is allowed now. */
  take(): boolean {
    const now = performance.now()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1_000) * this.#rate)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
