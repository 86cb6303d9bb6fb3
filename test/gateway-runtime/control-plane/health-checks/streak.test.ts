import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Streak } from '../../../../gateway-runtime/src/control-plane/health-checks/streak.ts'

const results = fc.array(fc.boolean(), { maxLength: 60 })
const threshold = fc.integer({ min: 1, max: 5 })

test('changes with so many results in a row that say otherwise, and only then', () => {
  fc.assert(
    fc.property(results, threshold, threshold, (results, unhealthyAfter, healthyAfter) => {
      const streak = new Streak({ unhealthyAfter, healthyAfter }, true)
      let expected = true
      for (const [index, result] of results.entries()) {
        const needed = expected ? unhealthyAfter : healthyAfter
        const last = results.slice(Math.max(index + 1 - needed, 0), index + 1)
        const changes = last.length === needed && last.every((each) => each !== expected)
        expect(streak.add(result)).toBe(changes)
        if (changes) expected = !expected
        expect(streak.passes).toBe(expected)
      }
    }),
  )
})
