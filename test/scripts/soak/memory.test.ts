import { expect, test } from '@jest/globals'
import { judgeMemory } from '../../../scripts/soak/memory.ts'

const samplesOf = (seconds: number, bytes: (second: number) => number) =>
  Array.from({ length: seconds }, (_, second) => ({ at: second * 1_000, live: bytes(second), resident: 2e8 }))

test.each([
  ['stays as it is', () => 100_000_000],
  ['goes up and down with the requests in flight', (second: number) => 1e8 + (second % 20) * 1e6],
  ['grows only while it warms up', (second: number) => 1e8 + Math.min(second, 100) * 1e6],
])('memory that %s is flat', (_, bytes) => {
  expect(judgeMemory(samplesOf(600, bytes))).toMatchObject({ isJudged: true, isFlat: true })
})

test('memory that goes on growing is not', () => {
  const verdict = judgeMemory(samplesOf(600, (second) => 1e8 + second * 30_000))
  expect(verdict).toMatchObject({ isJudged: true, isFlat: false })
  expect(Math.round(verdict.slope / 1e6)).toBe(108) // megabytes an hour
})

test('a short run says nothing', () => {
  expect(judgeMemory(samplesOf(30, (second) => 1e8 + second * 1e6))).toMatchObject({
    isJudged: false,
    isFlat: true,
  })
})
