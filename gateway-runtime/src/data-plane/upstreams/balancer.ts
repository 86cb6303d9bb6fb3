import type { TargetPool } from './target-pool.ts'

/**
 * Smooth weighted round robin: of two targets with weights 2 and 1, the order is a b a, a b a, … and never a a b.
 * A target whose circuit is open, or that this request has tried already, is passed over.
 */
export class Balancer {
  readonly #pools: readonly TargetPool[]
  readonly #weights: readonly number[]
  readonly #current: number[]

  /** `start` spreads the workers, so that they do not all begin with the first target. */
  constructor(pools: readonly TargetPool[], start: number) {
    const used = pools.filter((pool) => pool.target.weight > 0)
    this.#pools = used
    this.#weights = used.map((pool) => pool.target.weight)
    this.#current = used.map(() => 0)
    for (let turn = 0; turn < start % Math.max(used.length, 1); turn++) this.#next(undefined)
  }

  get isEmpty(): boolean {
    return this.#pools.length === 0
  }

  /** Whether a target that was not tried takes requests. */
  hasOther(tried: readonly TargetPool[]): boolean {
    return this.#pools.some((pool) => !tried.includes(pool) && !pool.circuit.isBlocked)
  }

  /** Whether no target takes requests now: every circuit is open. */
  get isBlocked(): boolean {
    return this.#pools.every((pool) => pool.circuit.isBlocked)
  }

  /** The target for a request: one that was not tried before where there is one. Undefined: every circuit is open. */
  pick(tried: readonly TargetPool[]): TargetPool | undefined {
    return this.#pickFrom(tried) ?? (tried.length > 0 ? this.#pickFrom([]) : undefined)
  }

  #pickFrom(avoid: readonly TargetPool[]): TargetPool | undefined {
    const refused = [...avoid]
    while (refused.length < this.#pools.length + avoid.length) {
      const pool = this.#pools.length === 1 ? this.#only(refused) : this.#next(refused)
      if (!pool) return undefined
      if (pool.circuit.tryPass()) return pool
      refused.push(pool)
    }
    return undefined
  }

  #only(refused: readonly TargetPool[]): TargetPool | undefined {
    const pool = this.#pools[0]!
    return refused.includes(pool) ? undefined : pool
  }

  #next(refused: readonly TargetPool[] | undefined): TargetPool | undefined {
    let best = -1
    let total = 0
    for (let index = 0; index < this.#pools.length; index++) {
      if (refused?.includes(this.#pools[index]!)) continue
      const weight = this.#weights[index]!
      this.#current[index]! += weight
      total += weight
      if (best < 0 || this.#current[index]! > this.#current[best]!) best = index
    }
    if (best < 0) return undefined
    this.#current[best]! -= total
    return this.#pools[best]
  }
}
