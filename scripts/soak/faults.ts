import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.ts'
import type { Mode, SoakUpstream } from './upstream.ts'

const harmless: readonly Mode[] = ['slow', 'closing']
const harmful: readonly Mode[] = ['slow', 'closing', 'hang', 'reset', 'dead']

/** Has an upstream be well and ill by turns until `stop`, and leaves it well. Returns how often it was ill. */
export async function runFaults(
  upstream: SoakUpstream,
  fails: boolean,
  random: Random,
  stop: AbortSignal,
): Promise<number> {
  let count = 0
  const stay = (milliseconds: number) => sleep(milliseconds, undefined, { signal: stop }).catch(() => {})
  await stay(random.between(500, 3_000))
  while (!stop.aborted) {
    count++
    await upstream.become(random.pick(fails ? harmful : harmless))
    await stay(random.between(300, 3_000))
    await upstream.become('well')
    await stay(random.between(2_000, 10_000))
  }
  return count
}
