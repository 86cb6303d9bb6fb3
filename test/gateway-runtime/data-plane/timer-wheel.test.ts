import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { type Deadline, TimerWheel } from '../../../gateway-runtime/src/data-plane/timer-wheel.ts'

function entry(onDeadline: () => void): Deadline {
  return { deadline: Number.POSITIVE_INFINITY, wakeAt: Number.POSITIVE_INFINITY, onDeadline }
}

describe('deadlines', () => {
  afterEach(() => {
    jest.useRealTimers()
  })

  test('come once, not before their time and at most two ticks after it', () => {
    jest.useFakeTimers()
    const wheel = new TimerWheel(() => performance.now())
    for (const milliseconds of [1, 19, 20, 500, 5_000, 60_000]) {
      const calls: number[] = []
      const start = performance.now()
      const timed = entry(() => calls.push(performance.now() - start))
      wheel.set(timed, milliseconds)
      jest.advanceTimersByTime(milliseconds + 100)
      expect(calls).toHaveLength(1)
      expect(calls[0]).toBeGreaterThanOrEqual(milliseconds)
      expect(calls[0]).toBeLessThanOrEqual(milliseconds + 40)
    }
    wheel.stop()
  })

  test('can be moved later, earlier, and away', () => {
    jest.useFakeTimers()
    const wheel = new TimerWheel(() => performance.now())
    let calls = 0
    const timed = entry(() => calls++)
    wheel.set(timed, 100)
    wheel.set(timed, 10_000)
    jest.advanceTimersByTime(9_900)
    expect(calls).toBe(0)
    wheel.set(timed, 50)
    jest.advanceTimersByTime(100)
    expect(calls).toBe(1)
    wheel.set(timed, 50)
    wheel.clear(timed)
    jest.advanceTimersByTime(60_000)
    expect(calls).toBe(1)
    wheel.stop()
  })
})
