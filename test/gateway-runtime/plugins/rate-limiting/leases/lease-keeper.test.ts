import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { LimitWindow } from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-exchange.ts'
import { ClusterSimulation, type Pass, type SimulatedEvent } from './cluster-simulation.ts'

const length = 6_000
const period = 1_000

/** How many passed in each window, by the clock of Redis. */
function byWindow(passes: readonly Pass[], milliseconds: number): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { time } of passes) {
    const window = Math.floor(time / milliseconds)
    counts.set(window, (counts.get(window) ?? 0) + 1)
  }
  return counts
}

/** Times of requests that come at a steady rate of so many a second. */
const steadily = (rate: number, until = length) =>
  Array.from({ length: Math.floor((until * rate) / 1_000) }, (_, index) => (index * 1_000) / rate + 0.3)

/** Numbers from 0 to 1, the same for one seed. */
function chanceOf(seed: number): () => number {
  let state = seed | 1
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) + 0x9e3779b9
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32
  }
}

const healthy = {
  lost: 0,
  twice: 0,
  latency: 2,
  replication: 2,
  events: [],
  length,
  withoutStore: 'share',
} as const
const window = (limit: number): LimitWindow => ({ limit, period })

const anyEvent: fc.Arbitrary<SimulatedEvent> = fc.oneof(
  fc.record({ at: fc.nat(length), kind: fc.constant('node-dies' as const), node: fc.nat(3) }),
  fc.record({
    at: fc.nat(length),
    kind: fc.constant('failover' as const),
    after: fc.nat(1_500),
    split: fc.boolean(),
  }),
  fc
    .record({ at: fc.nat(length), node: fc.option(fc.nat(3), { nil: undefined }), lasts: fc.nat(2_000) })
    .map(({ at, node, lasts }) => ({ at, kind: 'cut' as const, node, until: at + lasts })),
)

describe('never more than the limit in a window', () => {
  test('whatever clocks, messages, nodes and servers do, as long as the store decides', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(
          fc.record({
            drift: fc.double({ min: -0.0005, max: 0.0005, noNaN: true }),
            rate: fc.integer({ min: 1, max: 800 }),
          }),
          { minLength: 2, maxLength: 4 },
        ),
        fc.record({
          seed: fc.nat(),
          lost: fc.constantFrom(0, 0.02, 0.2),
          twice: fc.constantFrom(0, 0.1),
          latency: fc.constantFrom(1, 10, 150),
          replication: fc.constantFrom(1, 120),
          events: fc.array(anyEvent, { maxLength: 5 }),
        }),
        (limit, nodes, { seed, ...network }) => {
          const { passes } = new ClusterSimulation({
            ...network,
            length,
            windows: [window(limit)],
            withoutStore: 'closed',
            nodes: nodes.map(({ drift, rate }) => ({ drift, requests: steadily(rate) })),
            chance: chanceOf(seed),
          }).run()
          for (const count of byWindow(passes, period).values()) expect(count).toBeLessThanOrEqual(limit)
        },
      ),
      { numRuns: 100 },
    )
  }, 120_000)

  test('of several windows at once each is kept', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 5, max: 50 }), (seed, limit) => {
        const windows = [window(limit), { limit: limit * 2, period: 4_000 }]
        const { passes } = new ClusterSimulation({
          ...healthy,
          windows,
          nodes: [90, 30, 5].map((rate) => ({ drift: 0, requests: steadily(rate) })),
          chance: chanceOf(seed),
        }).run()
        for (const { limit: most, period: span } of windows)
          for (const count of byWindow(passes, span).values()) expect(count).toBeLessThanOrEqual(most)
      }),
      { numRuns: 20 },
    )
  })

  // A share is what is left to a node that does not know what others leased ahead: one of them may have had more.
  test.each([
    ['closed', 1],
    ['share', 2],
  ] as const)(
    'with on_failure: %s a failover lets pass at most %d times the limit in a window',
    (withoutStore, most) => {
      const event = fc.record({
        at: fc.integer({ min: 1_000, max: 4_000 }),
        kind: fc.constant('failover' as const),
        after: fc.integer({ min: 300, max: 2_500 }),
        split: fc.boolean(),
      })
      fc.assert(
        fc.property(
          fc.nat(),
          event,
          fc.integer({ min: 3, max: 200 }),
          fc.tuple(fc.integer({ min: 1, max: 900 }), fc.nat(900), fc.nat(100)),
          (seed, failover, limit, rates) => {
            const { passes } = new ClusterSimulation({
              ...healthy,
              withoutStore,
              events: [failover],
              windows: [window(limit)],
              nodes: rates.map((rate, index) => ({ drift: index * 1e-5, requests: steadily(rate) })),
              chance: chanceOf(seed),
            }).run()
            for (const count of byWindow(passes, period).values())
              expect(count).toBeLessThanOrEqual(most * limit)
          },
        ),
        { numRuns: 100 },
      )
    },
    120_000,
  )

  test('while no node reaches the store, all shares together are the limit', () => {
    const cut = { at: 0, kind: 'cut', node: undefined, until: length } as const
    for (const limit of [1, 2, 3, 10, 100]) {
      const { passes } = new ClusterSimulation({
        ...healthy,
        events: [cut],
        windows: [window(limit)],
        nodes: [1, 2, 3].map(() => ({ drift: 0, requests: steadily(300) })),
        chance: chanceOf(limit),
      }).run()
      const counts = [...byWindow(passes, period).values()].slice(1, -1)
      expect(Math.max(...counts)).toBeLessThanOrEqual(limit + 1)
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(limit - 1)
    }
  })
})

test('nodes that came with little before the store went away pass no more than the limit together', () => {
  const limit = 30
  for (let seed = 1; seed <= 200; seed++) {
    const chance = chanceOf(seed)
    const early = () => [1, 2, 3].map((at) => 50 + at * 8 * chance())
    const late = (from: number) => Array.from({ length: 20 }, (_, at) => from + at * 10)
    const { passes } = new ClusterSimulation({
      ...healthy,
      length: 9_000,
      events: [{ at: 800, kind: 'cut', node: undefined, until: 3_000 }],
      windows: [{ limit, period: 60_000 }],
      nodes: [1, 2, 3].map(() => ({ drift: 0, requests: [...early(), ...late(1_000), ...late(7_000)] })),
      chance,
    }).run()
    expect(passes).toHaveLength(limit)
  }
})

describe('far below the limit', () => {
  // A node that asks for more in vain goes on to its share; only where another had more than that is something refused.
  test.each([
    [1_000, 0.001],
    [2_000, 0.001],
    [60_000, 0.001],
  ])('nearly nothing is refused when the store goes away: windows of %d ms', (period, most) => {
    let [refused, requests] = [0, 0]
    for (let run = 0; run < 40; run++) {
      const chance = chanceOf(run * 7_919 + 13)
      const rates = Array.from({ length: 3 }, () => Math.round(50 + chance() * 250))
      const at = 3_000 + chance() * 3_000
      const cut = { at, kind: 'cut', node: chance() < 0.5 ? undefined : 0, until: 9_500 } as const
      const failover = { at, kind: 'failover', after: 300 + chance() * 2_700, split: chance() < 0.5 } as const
      const length = 10_000
      refused += new ClusterSimulation({
        ...healthy,
        length,
        events: [run % 2 === 0 ? cut : failover],
        windows: [{ limit: 2_000 * (period / 1_000), period }], // each node comes with less than half of its share
        nodes: rates.map((rate, index) => ({ drift: index * 1e-5, requests: steadily(rate, length) })),
        chance,
      }).run().refused
      requests += rates.reduce((sum, rate) => sum + rate, 0) * (length / 1_000)
    }
    expect(refused / requests).toBeLessThan(most)
  })

  // Answers that come too late are none: the node decides for itself now and then, in windows that it has leases of too.
  test.each([
    [1_000, 0.06],
    [60_000, 0.001],
  ])('little is refused while the store is slow: windows of %d ms', (period, most) => {
    let [refused, requests] = [0, 0]
    for (let run = 0; run < 8; run++) {
      const chance = chanceOf(run * 7_919 + 13)
      const rates = Array.from({ length: 3 }, () => Math.round(50 + chance() * 250))
      refused += new ClusterSimulation({
        ...healthy,
        lost: 0.02,
        latency: 150,
        replication: 120,
        windows: [{ limit: 2_000 * (period / 1_000), period }],
        nodes: rates.map((rate, index) => ({ drift: index * 1e-5, requests: steadily(rate) })),
        chance,
      }).run().refused
      requests += rates.reduce((sum, rate) => sum + rate, 0) * (length / 1_000)
    }
    expect(refused / requests).toBeLessThan(most)
  })
})

describe('nearly all of the limit', () => {
  test.each([10, 100, 1_000])(
    'passes at %d a second, unevenly spread over three nodes under ten times as much',
    (limit) => {
      const rates = [limit * 8, limit * 1.5, limit * 0.5]
      const length = 4_000
      const { passes, exchanges } = new ClusterSimulation({
        ...healthy,
        windows: [window(limit)],
        nodes: rates.map((rate, index) => ({ drift: index * 1e-5, requests: steadily(rate) })),
        chance: chanceOf(limit),
      }).run()
      const counts = [...byWindow(passes, period).values()].slice(1, -1)
      expect(Math.max(...counts)).toBeLessThanOrEqual(limit)
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(limit * 0.97)
      const requests = rates.reduce((sum, rate) => sum + rate, 0) * (length / 1_000)
      if (limit >= 1_000) expect(requests / exchanges).toBeGreaterThan(140) // some seven commands each
    },
  )

  test('below the limit nothing is refused', () => {
    const { refused } = new ClusterSimulation({
      ...healthy,
      windows: [window(1_000)],
      nodes: [300, 200, 100].map((rate) => ({ drift: 0, requests: steadily(rate) })),
      chance: chanceOf(1),
    }).run()
    expect(refused).toBe(0)
  })

  test('what one node gives back another may use', () => {
    const windows = [{ limit: 100, period: 60_000 }]
    const early = Array.from({ length: 40 }, (_, index) => 100 + index)
    const late = Array.from({ length: 200 }, (_, index) => 3_000 + index * 10)
    const { passes } = new ClusterSimulation({
      ...healthy,
      windows,
      nodes: [
        { drift: 0, requests: early },
        { drift: 0, requests: late },
      ],
      chance: chanceOf(3),
    }).run()
    expect(passes).toHaveLength(100)
  })
})

test('a node that was cut off comes back by itself', () => {
  const { passes } = new ClusterSimulation({
    ...healthy,
    length: 9_000,
    events: [{ at: 1_500, kind: 'cut', node: 0, until: 3_500 }],
    windows: [window(90)],
    nodes: [600, 20, 20].map((rate) => ({ drift: 0, requests: steadily(rate, 9_000) })),
    chance: chanceOf(5),
  }).run()
  const ofFirst = byWindow(
    passes.filter(({ node }) => node === 0),
    period,
  )
  const counts = [...ofFirst.values()]
  // No window without any while it is cut off; then most of the limit, which the others do not need.
  expect(ofFirst.size).toBeGreaterThanOrEqual(9)
  expect(Math.min(...counts)).toBeGreaterThan(0)
  expect(counts.at(-2)).toBeGreaterThanOrEqual(45)
})
