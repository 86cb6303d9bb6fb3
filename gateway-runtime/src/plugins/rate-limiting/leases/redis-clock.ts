/** By how much two clocks may drift apart, each of them slewed by NTP by at most 500 ppm. */
const drift = 0.001

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

  /** `offset`: milliseconds from the node's monotonic clock to the time of Redis, until Redis has told it. */
  constructor(offset: number) {
    this.#offset = offset
  }

  learn(time: number, sentAt: number, now: number): void {
    this.#offset = time - (sentAt + now) / 2
  }

  /** What Redis' clock shows at a time of the node's, more or less. */
  estimate(now: number): number {
    return now + this.#offset
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
