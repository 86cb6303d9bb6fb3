import type { Exchange } from '../exchange.ts'
import type { Algorithm, Load } from './algorithm.ts'
import type { Exclusions } from './exclusions.ts'
import { HashRing, hashText, mix } from './hash-ring.ts'

/**
 * The same target for the same key, by a ring of hashes, with bounded load: a target that has `balanceFactor` times
 * its part of the requests in flight passes on what else is its own to the next one on the ring (Mirrokni, Thorup and
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads"). A target that is out is passed over too, so that its keys
 * alone move, and come back to it.
 */
export class ConsistentHashing implements Algorithm {
  readonly #targets: readonly Load[]
  readonly #ring: HashRing
  readonly #seeds: readonly number[]
  readonly #balanceFactor: number
  readonly #hashOf: (exchange: Exchange) => number
  #weights: readonly number[] = []
  #total = 0

  constructor(
    targets: readonly Load[],
    balanceFactor: number,
    /** 32 bits, the same for requests that belong together. */
    hashOf: (exchange: Exchange) => number,
  ) {
    this.#targets = targets
    this.#ring = new HashRing(targets.map(({ target }) => target))
    this.#seeds = targets.map(({ target }) => hashText(target.id))
    this.#balanceFactor = balanceFactor
    this.#hashOf = hashOf
  }

  setWeights(weights: readonly number[]): void {
    this.#weights = weights
    this.#total = weights.reduce((sum, weight) => sum + weight, 0)
  }

  next(exchange: Exchange, excluded: Exclusions): number {
    if (this.#total === 0) return -1
    exchange.balancingHash ??= this.#hashOf(exchange)
    const hash = exchange.balancingHash
    const start = this.#ring.find(hash)
    let inFlight = -1
    let last = -1
    let fallback = -1
    for (let step = 0; step < this.#ring.length; step++) {
      const index = this.#ring.ownerAt(start + step)
      if (index === last || this.#weights[index] === 0 || excluded.has(index)) continue
      last = index
      if (fallback < 0) fallback = index
      if (!this.#takesKey(index, hash)) continue
      if (this.#targets[index]!.inFlight === 0) return index
      if (inFlight < 0) inFlight = this.#inFlight()
      if (this.#hasRoom(index, inFlight)) return index
    }
    return fallback
  }

  /** In its slow start, a target takes a part of its keys; which ones is settled by the key, so they come and stay. */
  #takesKey(index: number, hash: number): boolean {
    const warmth = this.#weights[index]! / this.#targets[index]!.target.weight
    return warmth >= 1 || mix(hash ^ this.#seeds[index]!) < warmth * 2 ** 32
  }

  #hasRoom(index: number, inFlight: number): boolean {
    const part = this.#weights[index]! / this.#total
    return this.#targets[index]!.inFlight < Math.ceil(this.#balanceFactor * (inFlight + 1) * part)
  }

  #inFlight(): number {
    let sum = 0
    for (let index = 0; index < this.#targets.length; index++) {
      if (this.#weights[index]! > 0) sum += this.#targets[index]!.inFlight
    }
    return sum
  }
}
