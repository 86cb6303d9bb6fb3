import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again and again until the answer is something other than undefined, false or null, and returns it.
 * For what another process does and no event tells: a line in its log, a file it writes.
 * Rejects after `limit` milliseconds (5,000), saying `what` was awaited.
 */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  limit = 5_000,
): Promise<Exclude<T, undefined | false | null>> {
  const deadline = performance.now() + limit
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false && answer !== null) {
      return answer as Exclude<T, undefined | false | null>
    }
    if (performance.now() > deadline) throw new Error(`${what}: did not happen within ${limit} ms`)
    await sleep(10)
  }
}
