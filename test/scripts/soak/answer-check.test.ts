import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { AnswerCheck } from '../../../scripts/soak/answer-check.ts'
import { markOf, Payload } from '../../../scripts/soak/payload.ts'
import type { PlannedRequest } from '../../../scripts/soak/plan.ts'
import { answerFields } from '../../../scripts/soak/upstream.ts'

const request: PlannedRequest = {
  id: 42,
  method: 'POST',
  route: 'steady',
  sent: 1_000,
  isChunked: false,
  wanted: 100_000,
  abort: undefined,
}
const sha256 = new Payload(markOf('request', 42), 1_000).sha256()
const answer = Buffer.concat([...new Payload(markOf('answer', 42), 100_000).pieces()])

function outcomeOf(pieces: readonly Buffer[], digest = sha256) {
  const check = new AnswerCheck(request)
  check.onHead(200, new Map([[answerFields.upstream, 'steady'] as const, [answerFields.sha256, digest]]))
  for (const piece of pieces) check.onBody(piece)
  return check.outcome() as { fault: string | undefined; upstream: string | undefined }
}

test('an answer is right however it is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: answer.length }), { maxLength: 20 }), (cuts) => {
      const ends = [0, ...cuts.sort((one, other) => one - other), answer.length]
      const pieces = ends.slice(1).map((end, index) => answer.subarray(ends[index], end))
      expect(outcomeOf(pieces)).toMatchObject({ upstream: 'steady', fault: undefined })
    }),
  )
})

test('any byte that is another one is found', () => {
  fc.assert(
    fc.property(fc.nat(answer.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const wrong = Buffer.from(answer)
      wrong[at]! ^= change
      expect(outcomeOf([wrong]).fault).toMatch(/bytes of another answer/)
    }),
  )
})

test.each([
  ['the bytes of another request', new Payload(markOf('answer', 43), 100_000), /bytes of another answer/],
  ['the body that was sent', new Payload(markOf('request', 42), 100_000), /bytes of another answer/],
  ['a byte too few', new Payload(markOf('answer', 42), 99_999), /complete after 99999 of 100000 bytes/],
  ['a byte too many', new Payload(markOf('answer', 42), 100_001), /bytes of another answer|complete after/],
])('%s make no answer', (_, payload, fault) => {
  expect(outcomeOf([...payload.pieces()]).fault).toMatch(fault)
})

test('an upstream that was sent another body is found', () => {
  const other = new Payload(markOf('request', 41), 1_000).sha256()
  expect(outcomeOf([answer], other).fault).toMatch(/SHA-256/)
})
