import { performance } from 'node:perf_hooks'

/** Milliseconds of `performance.now()`; the global one is looked up anew at each use. */
export const now = (): number => performance.now()

/** Milliseconds between this thread's `performance.now()` and the system's monotonic clock. */
function measureOffset(): number {
  let offset = 0
  let narrowest = Number.POSITIVE_INFINITY
  // The thread may be interrupted between two readings: the closest pair of several is the truest.
  for (let round = 0; round < 16; round++) {
    const before = performance.now()
    const [seconds, nanoseconds] = process.hrtime()
    const after = performance.now()
    if (after - before >= narrowest) continue
    narrowest = after - before
    offset = seconds * 1_000 + nanoseconds / 1e6 - (before + after) / 2
  }
  return offset
}

const offset = measureOffset()

/** Milliseconds of the system's monotonic clock: comparable between threads, unmoved by changes of the date. */
export const monotonicNow = (): number => performance.now() + offset
