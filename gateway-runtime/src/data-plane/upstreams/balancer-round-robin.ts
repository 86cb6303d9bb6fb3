import type { Exchange } from '../exchange.ts'
import type { Algorithm } from './algorithm.ts'
import type { Exclusions } from './exclusions.ts'

/** Smooth weighted round robin: of two targets with weights 2 and 1, the order is a b a, a b a, … and never a a b. */
export class RoundRobin implements Algorithm {
  readonly #current: number[]
  readonly #start: number
  #weights: readonly number[] = []
  #begun = false

  /** `start` spreads the workers, so that they do not all begin with the first target. */
  constructor(targets: number, start: number) {
    this.#current = Array<number>(targets).fill(0)
    this.#start = targets === 0 ? 0 : start % targets
  }

  setWeights(weights: readonly number[]): void {
    this.#weights = weights
    for (let turn = this.#begun ? this.#start : 0; turn < this.#start; turn++) this.#turn(undefined)
    this.#begun = true
  }

  next(_exchange: Exchange, excluded: Exclusions): number {
    return this.#turn(excluded)
  }

  #turn(excluded: Exclusions | undefined): number {
    let best = -1
    let total = 0
    for (let index = 0; index < this.#current.length; index++) {
      const weight = this.#weights[index]!
      if (weight === 0 || excluded?.has(index)) continue
      this.#current[index]! += weight
      total += weight
      if (best < 0 || this.#current[index]! > this.#current[best]!) best = index
    }
    if (best >= 0) this.#current[best]! -= total
    return best
  }
}
