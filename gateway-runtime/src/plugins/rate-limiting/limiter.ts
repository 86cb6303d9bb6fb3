/** What a request is told. */
export interface Verdict {
  readonly passes: boolean
  /** Index of the window that decided, or that has the least left. */
  readonly window: number
  /** Requests that would pass now. */
  readonly remaining: number
  /** Milliseconds until more pass than now. */
  readonly wait: number
}

/** Counts requests by key. A verdict that is known at once costs no promise. */
export interface Limiter {
  take(key: string): Verdict | Promise<Verdict>
}
