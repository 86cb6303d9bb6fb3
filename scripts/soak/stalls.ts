const interval = 50
const shortest = 250

/**
 * When this process, which plays clients and upstreams, stood still: a busy machine, or much to check. What it does
 * late then, the gateway may take for an upstream that hangs.
 */
export class Stalls {
  readonly #stalls: { readonly from: number; readonly to: number }[] = []
  #last = performance.now()
  readonly #timer = setInterval(() => this.#look(), interval)

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Milliseconds of that time in which it stood still; times are those of `performance.now()`. */
  during(from: number, to: number): number {
    let sum = 0
    for (let index = this.#stalls.length - 1; index >= 0; index--) {
      const stall = this.#stalls[index]!
      if (stall.to < from) break
      sum += Math.max(0, Math.min(stall.to, to) - Math.max(stall.from, from))
    }
    return sum
  }

  #look(): void {
    const now = performance.now()
    if (now - this.#last >= interval + shortest) this.#stalls.push({ from: this.#last, to: now })
    this.#last = now
  }
}
