import { describe, expect, test } from '@jest/globals'
import { clients, type FaultKind, faultKinds } from '../../../scripts/chaos/faults.ts'
import { judge, type MadeFault } from '../../../scripts/chaos/judge.ts'
import type { Sent } from '../../../scripts/lab/drills/steady-load.ts'

const fault = (kind: FaultKind, from: number, more: Partial<MadeFault> = {}): MadeFault => ({
  kind,
  host: 'host-1',
  from,
  healing: from + 3_000,
  undone: from + 3_500,
  settled: from + 5_000,
  ...more,
})

let id = 0
const request = (from: number, to: number, failure?: string): Sent => ({
  id: ++id,
  from,
  to,
  node: failure === undefined ? '10.0.0.1' : undefined,
  failure,
  retried: false,
})
const times = (count: number, make: () => Sent) => Array.from({ length: count }, make)

const violationsOf = (faults: MadeFault[], requests: Sent[], moves: { at: number; host: string }[] = []) =>
  judge(faults, requests, moves, faultKinds).violations.map(({ text }) => text)

describe('failed requests', () => {
  test('none is no violation, and one without a fault is', () => {
    expect(violationsOf([], [request(0, 5)])).toEqual([])
    expect(violationsOf([], [request(0, 5, 'status 500')])).toEqual([
      expect.stringMatching(/^request \d+ failed: status 500$/),
    ])
  })

  test('are permitted while a fault is new, as many as it promises', () => {
    const killed = [fault('gateway-kill', 1_000)]
    expect(
      violationsOf(
        killed,
        times(clients, () => request(990, 1_010, 'reset')),
      ),
    ).toEqual([])
    expect(
      violationsOf(
        killed,
        times(clients + 1, () => request(990, 1_010, 'reset')),
      ),
    ).toEqual([
      `${clients + 1} requests failed by gateway-kill on host-1, which permits ${clients}: ${clients + 1} × reset`,
    ])
    expect(violationsOf(killed, [request(900, 990, 'reset')])).toHaveLength(1) // was over before
    expect(violationsOf(killed, [request(2_001, 2_010, 'reset')])).toHaveLength(1) // began too late
  })

  test('are a violation under a fault that promises that none fails', () => {
    expect(violationsOf([fault('redis-down', 1_000)], [request(1_500, 1_600, 'status 429')])).toHaveLength(1)
  })

  test('are permitted while the virtual IP comes back, and not while it stays', () => {
    const cut = [fault('power-cut', 1_000, { healing: 11_000, undone: 12_000, settled: 14_000 })]
    expect(violationsOf(cut, [request(11_500, 11_600, 'reset')])).toEqual([])
    expect(violationsOf(cut, [request(8_000, 8_100, 'reset')])).toHaveLength(1)
    expect(violationsOf(cut, [request(8_000, 8_100, 'reset')], [{ at: 8_050, host: 'host-2' }])).toEqual([])
  })

  test('an answer to another request is never permitted', () => {
    const failure = 'the answer to request 3 in the place of 4'
    expect(violationsOf([fault('power-cut', 1_000)], [request(1_000, 1_100, failure)])).toHaveLength(1)
  })
})

describe('the cluster', () => {
  test('must become whole after each fault', () => {
    expect(violationsOf([fault('redis-down', 0, { settled: undefined })], [])).toEqual([
      'the cluster was not whole again after redis-down on host-1',
    ])
    expect(violationsOf([fault('redis-down', 0, { settled: undefined, error: 'no shell' })], [])).toEqual([
      'redis-down on host-1: no shell',
    ])
  })

  test('has its virtual IP moved by faults alone', () => {
    const moves = [1_500, 8_000, 9_000].map((at) => ({ at, host: 'host-2' }))
    expect(violationsOf([fault('power-cut', 1_000)], [], moves.slice(0, 2))).toEqual([])
    expect(violationsOf([fault('power-cut', 1_000)], [], moves)).toEqual([
      'the virtual IP moved 3 times, and faults explain 2',
    ])
  })
})
