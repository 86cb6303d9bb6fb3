import type { Exchange } from '../exchange.ts'
import type { Exclusions } from './exclusions.ts'

/** What an algorithm knows of a target. */
export interface Load {
  readonly target: { readonly id: string; readonly weight: number }
  /** Requests of this worker that the target has not answered yet. */
  readonly inFlight: number
}

/** One way to choose among targets, which are the same for as long as it lives; it speaks of them by their index. */
export interface Algorithm {
  /** What each target's weight is now; 0: it gets no requests. Called before the first pick, and on every change. */
  setWeights(weights: readonly number[]): void
  /** The target for a request; -1: all that have a weight are excluded. */
  next(exchange: Exchange, excluded: Exclusions): number
}
