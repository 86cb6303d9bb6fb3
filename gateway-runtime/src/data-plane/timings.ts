import type { AttemptTiming, PluginTiming, RequestTimings } from '../plugins/contract.ts'

/** Measures one request on its way; there is one for those requests only that somebody wants to know it of. */
export class Timings implements RequestTimings {
  readonly startedAt: number
  readonly plugins: PluginTiming[] = []
  readonly attempts: AttemptTiming[] = []

  /** `startedAt`: milliseconds of `performance.now()`. */
  constructor(startedAt: number) {
    this.startedAt = startedAt
  }

  /** Runs a hook of a plugin and notes how long it took, to the end of its promise. */
  timeHook<Result>(plugin: string, phase: PluginTiming['phase'], hook: () => Result): Result {
    const startedAt = performance.now()
    const note = () =>
      this.plugins.push({ plugin, phase, startedAt, duration: performance.now() - startedAt })
    const result = hook()
    if (result instanceof Promise) result.then(note, note)
    else note()
    return result
  }

  beginAttempt(target: string): void {
    this.attempts.push({
      target,
      startedAt: performance.now(),
      duration: undefined,
      status: undefined,
      failure: undefined,
    })
  }

  /** The target that was tried last has answered with this status, or failed so. */
  endAttempt(outcome: number | string): void {
    const last = this.attempts.pop()
    if (!last) return
    this.attempts.push({
      ...last,
      duration: performance.now() - last.startedAt,
      status: typeof outcome === 'number' ? outcome : undefined,
      failure: typeof outcome === 'string' ? outcome : undefined,
    })
  }
}
