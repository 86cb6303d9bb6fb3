import type { Exchange } from '../exchange.ts'
import type { Algorithm, Load } from './algorithm.ts'
import type { Exclusions } from './exclusions.ts'

const mostDraws = 4

/**
 * Of two targets drawn by their weights, the one with fewer requests in flight for its weight: nearly as even as
 * asking all of them, and without the herd that runs to the one that is idle (Mitzenmacher, "The Power of Two Choices
 * in Randomized Load Balancing"). Where nothing is in flight, targets get requests by their weights.
 */
export class LeastConnections implements Algorithm {
  readonly #targets: readonly Load[]
  readonly #random: () => number
  #weights: readonly number[] = []
  /** Up to and with each target. */
  readonly #sums: Float64Array
  #total = 0

  /** `random` gives numbers from 0 to less than 1. */
  constructor(targets: readonly Load[], random: () => number = Math.random) {
    this.#targets = targets
    this.#random = random
    this.#sums = new Float64Array(targets.length)
  }

  setWeights(weights: readonly number[]): void {
    this.#weights = weights
    this.#total = 0
    for (const [index, weight] of weights.entries()) {
      this.#total += weight
      this.#sums[index] = this.#total
    }
  }

  next(_exchange: Exchange, excluded: Exclusions): number {
    const first = this.#draw(excluded, -1)
    if (first < 0) return -1
    const second = this.#draw(excluded, first)
    return second >= 0 && this.#load(second) < this.#load(first) ? second : first
  }

  #load(index: number): number {
    return this.#targets[index]!.inFlight / this.#weights[index]!
  }

  /** A target by its weight that is neither excluded nor `other`; after some misses, the next one that there is. */
  #draw(excluded: Exclusions, other: number): number {
    const count = this.#targets.length
    if (this.#total === 0 || (other >= 0 && count === 1)) return -1
    let drawn = 0
    for (let draw = 0; draw < mostDraws; draw++) {
      drawn = this.#at(this.#random() * this.#total)
      if (drawn !== other && !excluded.has(drawn)) return drawn
    }
    for (let step = 1; step <= count; step++) {
      const index = (drawn + step) % count
      if (index !== other && this.#weights[index]! > 0 && !excluded.has(index)) return index
    }
    return -1
  }

  /** The target within whose part of the sum a point lies. */
  #at(point: number): number {
    let low = 0
    let high = this.#sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sums[middle]! > point) high = middle
      else low = middle + 1
    }
    return low
  }
}
