const interval = 20
const samples = 4

/**
 * How late the event loop of this thread is: how long a request waits before anybody looks at it. One late look may be
 * a collection of garbage; only where every one of the last four was late, there is more work than time.
 */
export class LoopDelay {
  /** Milliseconds. */
  current = 0
  readonly #lateness = new Float64Array(samples)
  #next = 0
  #lastLook = performance.now()
  readonly #timer = setInterval(() => this.#look(), interval).unref()

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    this.#lateness[this.#next] = now - this.#lastLook - interval
    this.#next = (this.#next + 1) % samples
    this.#lastLook = now
    this.current = Math.min(...this.#lateness)
  }
}
