/** By how much two clocks may drift apart, each of them slewed by NTP by at most 500 ppm. */
const drift = 0.001

// However long Redis has been away, no more of a period is lost at its edges.
const mostDoubt = 0.02

/** A reading of the clock of Redis, and between which times of the node's monotonic clock it was made. */
export interface Reading {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly sentAt: number
  readonly now: number
}

/** The time of Redis, as far as a node can know it. */
export class RedisClock {
  #offset: number
  #last: Reading | undefined

  /** `offset`: milliseconds from the node's monotonic clock to the time of Redis, until Redis has told it. */
  constructor(offset: number) {
    this.#offset = offset
  }

  learn(reading: Reading): void {
    this.#last = reading
    this.#offset = reading.time - (reading.sentAt + reading.now) / 2
  }

  /**
   * The window that is now, by what was last heard of Redis' clock, and from when to when on the node's it is that
   * for certain; near its end the one that follows.
   */
  windowAt(
    now: number,
    period: number,
  ): { readonly number: number; readonly start: number; readonly end: number } {
    const doubt = Math.min(this.#doubt(now), period * mostDoubt)
    const of = (number: number) => ({
      number,
      start: number * period - this.#offset + doubt,
      end: (number + 1) * period - this.#offset - doubt,
    })
    const window = of(Math.floor((now + this.#offset) / period))
    return now < window.end ? window : of(window.number + 1)
  }

  #doubt(now: number): number {
    return this.#last ? (this.#last.now - this.#last.sentAt) / 2 + (now - this.#last.now) * drift : 0
  }

  /** When the clock that was read shows `moment`: between which times of the node's clock, for certain. */
  bounds(
    moment: number,
    { time, sentAt, now }: Reading,
  ): { readonly earliest: number; readonly latest: number } {
    const ahead = moment - time
    return { earliest: sentAt + ahead * (1 - drift), latest: now + ahead * (1 + drift) }
  }
}
