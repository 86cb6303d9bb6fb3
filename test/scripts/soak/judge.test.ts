import { describe, expect, test } from '@jest/globals'
import type { Outcome } from '../../../scripts/soak/answer-check.ts'
import { Generations } from '../../../scripts/soak/generations.ts'
import { type EndedRequest, Judge } from '../../../scripts/soak/judge.ts'
import { Timeline } from '../../../scripts/soak/timeline.ts'
import type { Mode } from '../../../scripts/soak/upstream.ts'

const names = ['steady', 'steady-http2', 'single', 'pair-1', 'pair-2', 'multiplexed']

function court(stalled = 0) {
  const modes = new Map(names.map((name) => [name, new Timeline<Mode>('well')] as const))
  const judge = new Judge(modes, new Generations(), { during: () => stalled })
  return { modes, judge }
}

/** From 100,000 to 100,050 ms. */
const ended = (route: string, outcome: Outcome): EndedRequest => ({
  request: { id: 1, method: 'GET', route, sent: 0, isChunked: false, wanted: 1, abort: undefined },
  protocol: 'HTTP/1.1',
  sentAt: 100_000,
  endedAt: 100_050,
  outcome,
})

const answered = (status: number, more: { code?: string; upstream?: string; fault?: string }): Outcome => ({
  kind: 'answered',
  status,
  code: more.code,
  upstream: more.upstream,
  fault: more.fault,
})
const refused = answered(502, { code: 'upstream-connection-refused' })

describe('there is nothing to say against', () => {
  test('an answer of an upstream of its route', () => {
    const { judge } = court()
    expect(judge.objection(ended('pair', answered(200, { upstream: 'pair-2' })))).toBeUndefined()
  })

  test.each([99_000, 100_020])('an error that the state of the upstream explains, since %i ms', (at) => {
    const { modes, judge } = court()
    modes.get('single')!.add('dead', at)
    expect(judge.objection(ended('single', refused))).toBeUndefined()
  })

  test('a timeout while all stood still', () => {
    const timeout = answered(504, { code: 'upstream-read-timeout' })
    expect(court(3_000).judge.objection(ended('single', timeout))).toBeUndefined()
    expect(court(100).judge.objection(ended('single', timeout))).toBeDefined()
  })
})

describe('there is something to say against', () => {
  test.each([
    ['an answer of the upstream of another route', 'pair', answered(200, { upstream: 'single' })],
    ['an error while all is well', 'single', refused],
    ['an error of another route', 'steady', refused],
    ['an error that no state explains', 'single', answered(500, { code: 'plugin-failed' })],
    [
      'a status that is not that of its code',
      'single',
      answered(503, { code: 'upstream-connection-refused' }),
    ],
    ['a fault', 'steady', answered(200, { upstream: 'steady', fault: 'wrong' })],
    ['what is cut off without a reason', 'steady', { kind: 'cut', detail: '' } as const],
    ['what is stuck', 'single', { kind: 'stuck', detail: '' } as const],
  ])('%s', (_, route, outcome) => {
    const { modes, judge } = court()
    modes.get('pair-1')!.add('dead', 100_000)
    expect(judge.objection(ended(route, outcome))).toBeDefined()
  })

  test.each([
    ['long over', 10_000, 20_000],
    ['yet to come', 100_100, 100_200],
  ])('an error where the trouble of the upstream is %s', (_, from, to) => {
    const { modes, judge } = court()
    modes.get('single')!.add('dead', from)
    modes.get('single')!.add('well', to)
    expect(judge.objection(ended('single', refused))).toBeDefined()
  })
})
