import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { OutcomeWindow } from '../../../../gateway-runtime/src/data-plane/upstreams/outcome-window.ts'
import { newTargetState } from '../../../../gateway-runtime/src/data-plane/upstreams/target-state.ts'

const length = 1_000
const span = length / 10

/** A window as two workers have it, and what lets time pass. */
function windows(start = 5_000) {
  let now = start
  const memory = newTargetState()
  const [one, other] = [0, 1].map(() => new OutcomeWindow(memory, length, () => now))
  return {
    one: one!,
    other: other!,
    pass: (milliseconds: number) => {
      now += milliseconds
    },
    now: () => now,
    memory,
  }
}

test('counts what all workers see', () => {
  const { one, other } = windows()
  one.countSuccess()
  other.countFailure(false)
  expect(one.read()).toEqual({ requests: 2, failures: 1 })
  expect(other.read()).toEqual({ requests: 2, failures: 1 })
})

test('an answer that breaks off turns its request into a failure', () => {
  const { one } = windows()
  one.countSuccess()
  one.countFailure(true)
  expect(one.read()).toEqual({ requests: 1, failures: 1 })
})

test('reads what was counted in the current span and the nine before it', () => {
  const outcome = fc.record({
    wait: fc.integer({ min: 0, max: 400 }),
    fails: fc.boolean(),
    who: fc.boolean(),
  })
  // Also where the number of a span passes the bounds of 31 and 32 bits.
  const start = fc.constantFrom(0, 5_000, (2 ** 31 - 5) * span)
  fc.assert(
    fc.property(start, fc.array(outcome, { maxLength: 60 }), (start, outcomes) => {
      const { one, other, pass, now } = windows(start)
      const seen: { span: number; fails: boolean }[] = []
      for (const { wait, fails, who } of outcomes) {
        pass(wait)
        const window = who ? one : other
        if (fails) window.countFailure(false)
        else window.countSuccess()
        const current = Math.floor(now() / span)
        seen.push({ span: current, fails })
        const counted = seen.filter((each) => each.span > current - 10)
        expect(one.read()).toEqual({
          requests: counted.length,
          failures: counted.filter((each) => each.fails).length,
        })
      }
    }),
  )
})

test('forgets on request, and by itself', () => {
  const { one, other, pass } = windows()
  one.countFailure(false)
  other.clear()
  expect(one.read()).toEqual({ requests: 0, failures: 0 })
  one.countFailure(false)
  pass(length)
  expect(one.read()).toEqual({ requests: 0, failures: 0 })
})

test('loses nothing that threads count at once in one span', async () => {
  const { one, memory } = windows()
  one.countSuccess()
  const source = new URL(
    '../../../../gateway-runtime/src/data-plane/upstreams/outcome-window.ts',
    import.meta.url,
  )
  const program = `
    const { workerData } = require('node:worker_threads')
    import(workerData.source).then(({ OutcomeWindow }) => {
      const window = new OutcomeWindow(workerData.memory, ${length}, () => 5_000)
      for (let index = 0; index < 20_000; index++) index % 4 === 0 ? window.countFailure(false) : window.countSuccess()
    })`
  const threads = [0, 1, 2].map(
    () => new Worker(program, { eval: true, workerData: { memory, source: source.href } }),
  )
  const codes = await Promise.all(threads.map(async (thread) => (await once(thread, 'exit'))[0]))
  expect(codes).toEqual([0, 0, 0])
  expect(one.read()).toEqual({ requests: 60_001, failures: 15_000 })
})
