import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type FaultKind, faultKinds } from '../../../scripts/chaos/faults.ts'
import { planOf } from '../../../scripts/chaos/plan.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })

test('a seed repeats its plan, and a longer one begins like a shorter one', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 20 }), (seed, minutes) => {
      const plan = planOf(seed, minutes, 3)
      expect(planOf(seed, minutes, 3)).toEqual(plan)
      expect(planOf(seed, minutes + 5, 3).slice(0, plan.length)).toEqual(plan)
    }),
  )
})

test('faults are within their bounds, on hosts that there are', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 9 }), (seed, hosts) => {
      for (const { kind, host, lasting } of planOf(seed, 10, hosts)) {
        const [shortest, longest] = faultKinds[kind].lasting
        expect(lasting).toBeGreaterThanOrEqual(shortest)
        expect(lasting).toBeLessThanOrEqual(longest)
        expect(host).toBeLessThan(hosts)
      }
    }),
  )
})

test('a long plan has every fault on every host', () => {
  const plan = planOf(1, 600, 3)
  for (const kind of Object.keys(faultKinds) as FaultKind[]) {
    const hosts = plan.filter((fault) => fault.kind === kind).map(({ host }) => host)
    expect(new Set(hosts).size).toBe(3)
  }
})
