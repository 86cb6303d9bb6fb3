import { duration, parseDuration } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

describe('a time', () => {
  test.each([
    [5000, 5_000],
    ['5000', 5_000],
    ['5000ms', 5_000],
    ['5s', 5_000],
    ['1.5m', 90_000],
    ['2 h', 7_200_000],
    [' 1d ', 86_400_000],
    ['0.5s', 500],
  ])('%j is %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
    expect(duration.parse(text)).toBe(milliseconds)
  })

  test.each(['', 's', '5 s s', '5x', '-5s', '1e3', '0x10', '５s', '5S', '0', '0ms', '25d', -1, 2 ** 31, 0.4])(
    '%j is refused',
    (text) => {
      expect(duration.safeParse(text).success).toBe(false)
    },
  )

  test('means the same in every unit', () => {
    const factors = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.constantFrom(...(Object.keys(factors) as (keyof typeof factors)[])),
        (amount, unit) => parseDuration(`${amount}${unit}`) === amount * factors[unit],
      ),
    )
  })
})
