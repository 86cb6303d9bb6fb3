import type { Limiter, Verdict } from './limiter.ts'
import type { NamedWindow } from './settings.ts'
import { SlidingWindows } from './sliding-window.ts'

/** Sliding windows, exact over all workers of this node; each in its part of the memory. */
export class NodeLimiter implements Limiter {
  readonly #windows: readonly { readonly period: number; readonly counts: SlidingWindows }[]

  constructor(memory: SharedArrayBuffer, windows: readonly NamedWindow[]) {
    const part = Math.floor(memory.byteLength / windows.length / 8) * 8
    this.#windows = windows.map(({ limit, period }, index) => ({
      period,
      counts: new SlidingWindows({ memory, from: index * part, bytes: part }, limit, period),
    }))
  }

  take(key: string): Verdict {
    const refusal = this.#windows.length > 1 ? this.#refusal(key) : undefined
    return refusal ?? this.#takeFromAll(key)
  }

  /** Asked first of several: what one refuses must not count in the others. */
  #refusal(key: string): Verdict | undefined {
    for (const [window, { counts }] of this.#windows.entries()) {
      const { passes, retryAfter } = counts.peek(key)
      if (!passes) return { passes, window, remaining: 0, wait: retryAfter }
    }
    return undefined
  }

  #takeFromAll(key: string): Verdict {
    let least: Verdict | undefined
    for (const [window, { counts, period }] of this.#windows.entries()) {
      const { passes, remaining, retryAfter } = counts.take(key)
      const verdict = { passes, window, remaining, wait: retryAfter || period }
      if (!passes) return verdict
      if (!least || remaining < least.remaining) least = verdict
    }
    return least!
  }
}
