import type { Limits } from '../config/schema.ts'
import { problem } from './problem.ts'

export const bodyTooSlow = problem(408, 'body-too-slow', 'The body of the request arrives too slowly.')

/**
 * Watches over how fast a client sends a body: a long one may take hours, but not by a byte now and then. Time in
 * which the gateway itself took nothing does not count.
 */
export class BodyRate {
  readonly #limits: Pick<Limits, 'body_rate' | 'body_rate_after'>
  #since = performance.now()
  #bytes = 0
  #pausedAt: number | undefined

  constructor(limits: Pick<Limits, 'body_rate' | 'body_rate_after'>) {
    this.#limits = limits
  }

  pause(): void {
    this.#pausedAt ??= performance.now()
  }

  resume(): void {
    if (this.#pausedAt === undefined) return
    this.#since += performance.now() - this.#pausedAt
    this.#pausedAt = undefined
  }

  /** Counts what came. Returns whether the body is too slow. */
  isTooSlow(bytes: number): boolean {
    this.#bytes += bytes
    const elapsed = performance.now() - this.#since
    const { body_rate, body_rate_after } = this.#limits
    return elapsed > body_rate_after && this.#bytes < (elapsed / 1_000) * body_rate
  }
}
