/** Milliseconds that a thread is kept at a time: requests on it wait no longer. */
const slice = 8

/** Runs to the end without a pause. */
export function runAtOnce<Result>(work: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Runs with pauses, in which the thread does what else it has to do. Rejected with what the work throws. */
export async function runGradually<Result>(work: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const until = performance.now() + slice
    do {
      const { done, value } = work.next()
      if (done) return value
    } while (performance.now() < until)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
