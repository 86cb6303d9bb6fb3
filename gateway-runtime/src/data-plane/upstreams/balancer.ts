import type { Balancing } from '../../config/snapshot.ts'
import type { Exchange } from '../exchange.ts'
import type { Algorithm, Load } from './algorithm.ts'
import { ConsistentHashing } from './balancer-consistent-hashing.ts'
import { LeastConnections } from './balancer-least-connections.ts'
import { RoundRobin } from './balancer-round-robin.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { Exclusions } from './exclusions.ts'
import { hashOf } from './hash-key.ts'
import type { TargetHealth } from './health.ts'

/** A target as the balancer sees it. */
export interface Balanced extends Load {
  readonly circuit: Pick<CircuitBreaker, 'tryPass' | 'isBlocked'>
  readonly health: Pick<TargetHealth, 'isHealthy' | 'warmth'>
}

/** What a worker brings to its balancers. */
export interface BalancerSurroundings {
  readonly workerIndex: number
  /** A count that goes up whenever the health of a target changes. */
  readonly healthChanges: Int32Array
  /** Milliseconds, monotonic. */
  readonly now: () => number
}

const stepsOfSlowStart = 50
const shortestStep = 10

/**
 * Chooses a target for each request, by the algorithm of the upstream. One whose circuit is open, that checks found
 * unhealthy, or that this request has tried already is passed over. Where fewer than `panicThreshold` percent are
 * healthy, it is the checks that are not believed.
 */
export class Balancer<Target extends Balanced> {
  readonly #settings: Balancing
  readonly #surroundings: BalancerSurroundings
  #targets: readonly Target[] = []
  #weights: number[] = []
  #algorithm!: Algorithm
  #excluded!: Exclusions
  /** The only target, where all there is to ask is its circuit. */
  #only: Target | undefined
  #changesSeen = 0
  #refreshAt = Number.POSITIVE_INFINITY
  #panics = false

  constructor(settings: Balancing, targets: readonly Target[], surroundings: BalancerSurroundings) {
    this.#settings = settings
    this.#surroundings = surroundings
    this.replaceTargets(targets)
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  /** Balances over these from now on. */
  replaceTargets(targets: readonly Target[]): void {
    this.#targets = targets.filter(({ target }) => target.weight > 0)
    this.#algorithm = this.#newAlgorithm()
    this.#excluded = new Exclusions(this.#targets.length)
    const { algorithm, panicThreshold } = this.#settings
    const isPlain = algorithm !== 'consistent-hashing' && panicThreshold > 0
    this.#only = this.#targets.length === 1 && isPlain ? this.#targets[0] : undefined
    this.#refresh()
  }

  /** Whether so few targets are healthy that requests go to all of them. */
  get panics(): boolean {
    return this.#panics
  }

  /** Whether every target has a weight of 0 or is unhealthy. */
  get isEmpty(): boolean {
    return this.#weights.every((weight) => weight === 0)
  }

  /** Whether a target that was not tried takes requests. */
  hasOther(tried: readonly Target[]): boolean {
    return this.#targets.some(
      (target, index) => this.#weights[index]! > 0 && !tried.includes(target) && !target.circuit.isBlocked,
    )
  }

  /** Whether no target takes requests now: every circuit is open. */
  get isBlocked(): boolean {
    return this.#targets.every((target, index) => this.#weights[index] === 0 || target.circuit.isBlocked)
  }

  /**
   * The target for a request: one that was not tried before where there is one. Undefined: there is none, or every
   * circuit is open.
   */
  pick(exchange: Exchange, tried: readonly Target[]): Target | undefined {
    const only = this.#only
    if (only) {
      if (this.#changesSeen !== this.#changes()) this.#refresh()
      return only.circuit.tryPass() ? only : undefined
    }
    if (this.#changesSeen !== this.#changes() || this.#isDue()) this.#refresh()
    this.#excluded.clear()
    for (const target of tried) this.#exclude(target)
    const target = this.#pick(exchange)
    if (target || tried.length === 0) return target
    this.#excluded.clear()
    return this.#pick(exchange)
  }

  #pick(exchange: Exchange): Target | undefined {
    for (;;) {
      const index = this.#algorithm.next(exchange, this.#excluded)
      if (index < 0) return undefined
      const target = this.#targets[index]!
      if (target.circuit.tryPass()) return target
      this.#excluded.add(index)
      // All that are as this one are found in one go: the algorithm need not meet them one by one.
      for (const [other, { circuit }] of this.#targets.entries()) {
        if (circuit.isBlocked) this.#excluded.add(other)
      }
    }
  }

  #exclude(target: Target): void {
    const index = this.#targets.indexOf(target)
    if (index >= 0) this.#excluded.add(index)
  }

  #newAlgorithm(): Algorithm {
    const { algorithm, hashOn, hashFallback, hashBalanceFactor } = this.#settings
    switch (algorithm) {
      case 'round-robin':
        return new RoundRobin(this.#targets.length, this.#surroundings.workerIndex)
      case 'least-connections':
        return new LeastConnections(this.#targets)
      case 'consistent-hashing':
        return new ConsistentHashing(this.#targets, hashBalanceFactor, (exchange) =>
          hashOf(exchange, hashOn, hashFallback),
        )
    }
  }

  #changes(): number {
    return Atomics.load(this.#surroundings.healthChanges, 0)
  }

  #isDue(): boolean {
    return this.#refreshAt !== Number.POSITIVE_INFINITY && this.#surroundings.now() >= this.#refreshAt
  }

  /** Works out what each target's weight is now. */
  #refresh(): void {
    const { slowStart, panicThreshold } = this.#settings
    this.#changesSeen = this.#changes()
    const healthy = this.#targets.map(({ health }) => health.isHealthy)
    const percent = (100 * healthy.filter(Boolean).length) / Math.max(this.#targets.length, 1)
    this.#panics = percent < panicThreshold && this.#targets.length > 0
    this.#weights = this.#targets.map(({ target, health }, index) => {
      if (!healthy[index] && !this.#panics) return 0
      return slowStart === 0 ? target.weight : target.weight * health.warmth(slowStart)
    })
    this.#algorithm.setWeights(this.#weights)
    if (slowStart === 0) return
    // A circuit that closes begins a slow start as well, and nobody tells: so there is always a next look.
    const step = Math.max(slowStart / stepsOfSlowStart, shortestStep)
    this.#refreshAt = this.#surroundings.now() + step
  }
}
