const shortestSpan = 5
const memory = 200
// A lease is renewed when no more is left of it than comes in this time, in milliseconds.
const renewAhead = 20

/** How long before the end of a window leases for the next are taken. */
export const leadOf = (period: number): number => Math.min(period / 4, 1_000)

/**
 * How long before that they are taken where the store is asked anyway: where the store goes away, a node has leases
 * in hand for a short window that follows.
 */
export const earliestLead = (period: number): number => (period <= 10_000 ? period : leadOf(period))

/** How many requests of a key come, whether they pass or not. */
export class Demand {
  #offered: number | undefined
  #at: number
  /** Requests a millisecond. */
  #rate = 0
  /** Requests since the key is watched. A burst of few is no reason to take many from the other nodes. */
  #seen = 0

  constructor(now: number) {
    this.#at = now
  }

  /** `offered`: all requests so far, modulo 2^32. */
  see(offered: number, now: number): void {
    if (this.#offered === undefined) {
      this.#offered = offered
      this.#at = now
      return
    }
    const span = now - this.#at
    if (span < shortestSpan) return
    const came = (offered - this.#offered) >>> 0
    const rate = came / span
    this.#seen += came
    // The newest span counts by its length; what is older than some 200 ms is forgotten.
    const weight = Math.max(Math.min(span / memory, 1), 0.3)
    this.#rate += (rate - this.#rate) * weight
    this.#offered = offered
    this.#at = now
  }

  /** Requests that come in so many milliseconds, as far as can be told: no more than have come. */
  expected(milliseconds: number): number {
    return Math.min(this.#rate * milliseconds, this.#seen)
  }

  /** More than will come in so many milliseconds; no more than twice what has come. */
  most(milliseconds: number): number {
    return Math.ceil(Math.min(this.#rate * milliseconds * 1.5, this.#seen * 2))
  }

  /**
   * How much may be left of a lease when the next is asked for; -1: it is left to run out. `reserve`: milliseconds that
   * the lease should still last then, where it is large enough for that.
   */
  lowMark(left: number, reserve: number): number {
    const ahead = Math.ceil(this.#rate * renewAhead)
    if (ahead < 1 || left < 2) return -1
    const kept = Math.ceil(this.#rate * reserve)
    return left > kept * 1.2 ? Math.max(kept, ahead) : Math.min(ahead, left >> 1)
  }
}
