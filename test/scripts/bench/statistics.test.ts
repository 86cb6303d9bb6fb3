import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { spread } from '../../../scripts/bench/statistics.ts'

test('the median lies in the middle of the sorted values', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 })
  expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 })
})

test('as many values lie above the median as below it', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const { median, min, max } = spread(values)
      expect(values.filter((value) => value < median).length).toBeLessThanOrEqual(values.length / 2)
      expect(values.filter((value) => value > median).length).toBeLessThanOrEqual(values.length / 2)
      expect([min, max]).toEqual([Math.min(...values), Math.max(...values)])
    }),
  )
})
