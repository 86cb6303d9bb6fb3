/** The time of day, and waking up later. Tests move one of their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `run` once after `delay` milliseconds, unless the function that it returns is called before. */
  wakeAfter(delay: number, run: () => void): () => void
}

/** That of the system. Waiting keeps no process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  wakeAfter(delay, run) {
    const timer = setTimeout(run, delay).unref()
    return () => clearTimeout(timer)
  },
}
