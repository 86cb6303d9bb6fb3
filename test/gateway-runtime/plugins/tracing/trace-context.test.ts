import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  formatTraceparent,
  isSampledAt,
  parseTraceparent,
  randomId,
} from '../../../../gateway-runtime/src/plugins/tracing/trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

describe('traceparent', () => {
  test.each([
    [`00-${traceId}-${spanId}-01`, true],
    [`00-${traceId}-${spanId}-00`, false],
    [`00-${traceId}-${spanId}-03`, true],
    [`cc-${traceId}-${spanId}-01-what-the-future-will-be-like`, true],
  ])('%s is read', (text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId, spanId, isSampled })
  })

  test.each([
    `ff-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${traceId}-${spanId}-01.`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}`,
    '',
  ])('%j is none', (text) => {
    expect(parseTraceparent(text)).toBeUndefined()
  })

  test('what is written is read again', () => {
    fc.assert(
      fc.property(fc.boolean(), (isSampled) => {
        const span = { traceId: randomId(16), spanId: randomId(8), isSampled }
        expect(parseTraceparent(formatTraceparent(span))).toEqual(span)
      }),
    )
  })
})

test('a part of all traces is sampled, each at any higher rate too', () => {
  const ids = Array.from({ length: 4_000 }, () => randomId(16))
  const sampled = ids.filter((id) => isSampledAt(id, 0.25))
  expect(sampled.length).toBeGreaterThan(800)
  expect(sampled.length).toBeLessThan(1_200)
  expect(sampled.every((id) => isSampledAt(id, 0.5))).toBe(true)
  expect(ids.some((id) => isSampledAt(id, 0))).toBe(false)
  expect(ids.every((id) => isSampledAt(id, 1))).toBe(true)
})
