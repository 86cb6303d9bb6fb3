import type { HashSource } from '../config/snapshot.ts'
import type { Exchange } from './exchange.ts'
import { hashOf } from './upstreams/hash-key.ts'
import { hashText, mix } from './upstreams/hash-ring.ts'

interface Share<Destination> {
  readonly destination: Destination
  readonly percent: number
}

/**
 * Spreads the requests of a route over services by percentages. Requests with one key stay with one service, and when
 * percentages change no more keys move than must: each service has its own hash of the key, and the one that is
 * largest for its weight wins (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables").
 */
export class TrafficSplit<Destination> {
  readonly #shares: readonly (Share<Destination> & { readonly seed: number })[]
  readonly #source: HashSource

  /** `name` of a destination is what its part of the keys depends on. */
  constructor(shares: readonly (Share<Destination> & { readonly name: string })[], source: HashSource) {
    this.#shares = shares
      .filter(({ percent }) => percent > 0)
      .map(({ name, ...share }) => ({ ...share, seed: hashText(name) }))
    this.#source = source
  }

  choose(exchange: Exchange): Destination {
    return this.chooseFor(hashOf(exchange, this.#source, { kind: 'none' }))
  }

  /** `key`: 32 bits. */
  chooseFor(key: number): Destination {
    let best = this.#shares[0]!
    let shortest = Number.POSITIVE_INFINITY
    for (const share of this.#shares) {
      const part = (mix(mix(key) ^ share.seed) + 0.5) / 2 ** 32
      const distance = -Math.log(part) / share.percent
      if (distance >= shortest) continue
      shortest = distance
      best = share
    }
    return best.destination
  }
}
