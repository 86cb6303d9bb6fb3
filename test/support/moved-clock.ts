import type { Clock } from '../../gateway-runtime/src/control-plane/certificates/clock.ts'

const shortWait = 10_000

/** A clock that a test moves. Short waits, between questions to an authority, pass as they do. */
export function movedClock(): { readonly clock: Clock; move(milliseconds: number): void } {
  let offset = 0
  const sleepers = new Set<() => void>()
  const clock: Clock = {
    now: () => Date.now() + offset,
    wakeAfter(delay, run) {
      if (delay <= shortWait) {
        const timer = setTimeout(run, delay)
        return () => clearTimeout(timer)
      }
      sleepers.add(run)
      return () => void sleepers.delete(run)
    },
  }
  const move = (time: number) => {
    offset += time
    for (const run of [...sleepers]) {
      sleepers.delete(run)
      run()
    }
  }
  return { clock, move }
}
