import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FlightTable } from '../../../../gateway-runtime/src/plugins/concurrency-limiting/flight-table.ts'

const limit = 5

test('never more are in flight than may be, and each that ends makes room for one, over all workers', () => {
  const step = fc.record({ worker: fc.nat(3), key: fc.constantFrom('a', 'b'), ends: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new FlightTable(new SharedArrayBuffer(65_536))
      const running = { a: [] as (readonly [number, number])[], b: [] as (readonly [number, number])[] }
      for (const { worker, key, ends } of steps) {
        const those = running[key as 'a' | 'b']
        if (ends) {
          const one = those.pop()
          if (one) table.leave(...one)
          continue
        }
        const { decision, entry, inFlight } = table.enter(key, worker, limit)
        expect(decision).toBe(those.length < limit ? 'passes' : 'refused')
        if (decision === 'passes') those.push([entry, worker])
        expect(inFlight).toBe(those.length)
      }
    }),
  )
})

test('what a worker had in flight that died is taken off', () => {
  const table = new FlightTable(new SharedArrayBuffer(65_536))
  for (let count = 0; count < limit; count++) table.enter('a', count % 2, limit)
  expect(table.enter('a', 0, limit).decision).toBe('refused')
  table.clearWorker(1)
  expect(table.enter('a', 0, limit).inFlight).toBe(limit - 1)
})

test('a key with requests in flight is not forgotten, however many others come', () => {
  const table = new FlightTable(new SharedArrayBuffer(65_536))
  table.enter('held', 0, 1)
  for (let count = 0; count < 5_000; count++) {
    const { entry } = table.enter(`other ${count}`, 0, 1)
    table.leave(entry, 0)
  }
  expect(table.enter('held', 0, 1).decision).toBe('refused')
})

test('where every place is taken by requests in flight, one more passes uncounted', () => {
  const table = new FlightTable(new SharedArrayBuffer(65_536))
  const entries = Array.from({ length: 5_000 }, (_, count) => table.enter(`client ${count}`, 0, 1))
  expect(entries.every(({ decision }) => decision === 'passes')).toBe(true)
  expect(entries.some(({ entry }) => entry === 0)).toBe(true)
})
