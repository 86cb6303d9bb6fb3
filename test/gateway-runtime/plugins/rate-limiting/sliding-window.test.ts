import { Worker } from 'node:worker_threads'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { SlidingWindows } from '../../../../gateway-runtime/src/plugins/rate-limiting/sliding-window.ts'

const source = new URL(
  '../../../../gateway-runtime/src/plugins/rate-limiting/sliding-window.ts',
  import.meta.url,
)

function windows(limit: number, period = 1_000, bytes = 1_048_576) {
  const clock = { now: 1e9 + 0.123 }
  return { clock, table: new SlidingWindows(new SharedArrayBuffer(bytes), limit, period, () => clock.now) }
}

/** The most that passed in any span of a period. */
function mostInAnySpan(times: readonly number[], period: number): number {
  let most = 0
  let first = 0
  for (const [index, time] of times.entries()) {
    while (time - times[first]! >= period) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}

describe('a sliding window', () => {
  test('never lets more than the limit pass in any span, however requests arrive', () => {
    const gap = fc.oneof(
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 700, noNaN: true }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.array(gap, { maxLength: 3_000 }), (limit, gaps) => {
        const { table, clock } = windows(limit)
        const passed: number[] = []
        for (const milliseconds of gaps) {
          clock.now += milliseconds
          if (table.take('client').passes) passed.push(clock.now)
        }
        expect(mostInAnySpan(passed, 1_000)).toBeLessThanOrEqual(limit)
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    [5, 50],
    [128, 200],
    [1_000, 1_010],
    [1_000, 2_000],
    [1_000, 20_000],
    [100_000, 200_000],
  ])('lets %d of %d a second pass, but for less than a hundredth', (limit, offered) => {
    const { table, clock } = windows(limit)
    let passed = 0
    for (let request = 0; request < offered * 3; request++) {
      clock.now += 1_000 / offered
      if (table.take('client').passes) passed++
    }
    expect(passed).toBeGreaterThanOrEqual(limit * 3 * 0.99)
    expect(passed).toBeLessThanOrEqual(limit * 3 + 1)
  })

  test('says what is left and when more passes', () => {
    const { table, clock } = windows(3)
    expect(table.take('a')).toEqual({ passes: true, remaining: 2, retryAfter: 0 })
    clock.now += 400
    expect(table.take('a').remaining).toBe(1)
    expect(table.take('a').remaining).toBe(0)
    const refused = table.take('a')
    expect(refused.passes).toBe(false)
    expect(refused.retryAfter).toBeGreaterThanOrEqual(600)
    expect(refused.retryAfter).toBeLessThan(601)
    clock.now += refused.retryAfter
    expect(table.take('a').passes).toBe(true)
    expect(table.take('a').passes).toBe(false)
  })

  test('what is left goes down by one with each request and never lies', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.array(fc.nat(300), { maxLength: 50 }),
        (limit, gaps) => {
          const { table, clock } = windows(limit)
          for (const gap of gaps) {
            clock.now += gap
            const { remaining, passes } = table.take('a')
            if (!passes) continue
            for (let left = remaining; left > Math.max(remaining - 5, 0); left--)
              expect(table.take('a').passes).toBe(true)
            if (remaining < 5) expect(table.take('a').passes).toBe(false)
          }
        },
      ),
    )
  })

  test('counts each key apart', () => {
    const { table } = windows(2)
    for (let client = 0; client < 1_000; client++) {
      const verdicts = [1, 2, 3].map(() => table.take(`10.0.${client >> 8}.${client & 255}`).passes)
      expect(verdicts).toEqual([true, true, false])
    }
  })

  test('a key that rested for days begins anew', () => {
    const { table, clock } = windows(2)
    for (const days of [0, 0.4, 1, 3, 30]) {
      clock.now += days * 86_400_000
      expect([1, 2, 3].map(() => table.take('a').passes)).toEqual([true, true, false])
    }
  })

  test('in memory for a few keys only, the one that was quiet the longest is forgotten', () => {
    const { table, clock } = windows(1, 1_000, 65_536)
    for (let client = 0; client < 20_000; client++) {
      clock.now += 0.001
      table.take(`client ${client}`)
    }
    expect(table.take('client 19999').passes).toBe(false)
  })

  test('is exact over several threads at once', async () => {
    const memory = new SharedArrayBuffer(1_048_576)
    const program = `
      const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.source).then(({ SlidingWindows }) => {
        const table = new SlidingWindows(workerData.memory, 5000, 86400000)
        let passed = 0
        for (let request = 0; request < 20000; request++) if (table.take('client').passes) passed++
        parentPort.postMessage(passed)
      })`
    const workers = [1, 2, 3].map(
      () => new Worker(program, { eval: true, workerData: { memory, source: source.href } }),
    )
    const counts = await Promise.all(
      workers.map(
        (worker) =>
          new Promise<number>((resolve, reject) => worker.on('message', resolve).on('error', reject)),
      ),
    )
    // A part of a cell may be lost where a period ends within the test; a day does not.
    expect(counts.reduce((sum, count) => sum + count)).toBe(5_000)
    await Promise.all(workers.map((worker) => worker.terminate()))
  })

  test('goes on when a worker died with the lock of a bucket', () => {
    const memory = new SharedArrayBuffer(65_536)
    const table = new SlidingWindows(memory, 1, 1_000)
    table.take('a')
    const words = new Int32Array(memory)
    for (let word = 4; word < words.length; word += 2 + 8 * 6) words[word] = 1
    expect(table.take('a').passes).toBe(false)
  })
})
