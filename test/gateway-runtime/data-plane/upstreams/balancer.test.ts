import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Balancing } from '../../../../gateway-runtime/src/config/snapshot.ts'
import type { Exchange } from '../../../../gateway-runtime/src/data-plane/exchange.ts'
import { type Balanced, Balancer } from '../../../../gateway-runtime/src/data-plane/upstreams/balancer.ts'
import { TargetHealth } from '../../../../gateway-runtime/src/data-plane/upstreams/health.ts'
import { newTargetState } from '../../../../gateway-runtime/src/data-plane/upstreams/target-state.ts'

const plain: Balancing = {
  algorithm: 'round-robin',
  hashOn: { kind: 'none' },
  hashFallback: { kind: 'none' },
  hashBalanceFactor: 1.25,
  slowStart: 0,
  panicThreshold: 50,
}
const byPath: Balancing = { ...plain, algorithm: 'consistent-hashing', hashOn: { kind: 'path' } }
const leastConnections: Balancing = { ...plain, algorithm: 'least-connections' }

interface Subject extends Balanced {
  inFlight: number
  isOpen: boolean
  readonly health: TargetHealth
}

/** Targets a, b, c, … with these weights, balanced by one worker; `pass` lets time go by. */
function balance(settings: Partial<Balancing>, weights: readonly number[]) {
  let now = 1_000
  const targets = weights.map((weight, index): Subject => {
    const subject = {
      target: { id: String.fromCharCode(97 + index), host: 'h', port: 1, weight },
      inFlight: 0,
      isOpen: false,
      health: new TargetHealth(newTargetState(), () => now),
      circuit: {
        tryPass: () => !subject.isOpen,
        get isBlocked() {
          return subject.isOpen
        },
      },
    }
    return subject
  })
  const healthChanges = new Int32Array(new SharedArrayBuffer(4))
  const surroundings = { workerIndex: 0, healthChanges, now: () => now }
  const balancer = new Balancer<Subject>({ ...plain, ...settings }, targets, surroundings)
  return {
    balancer,
    targets,
    setHealth: (index: number, healthy: boolean) => {
      targets[index]!.health.passesChecks = healthy
      healthChanges[0]!++
    },
    pass: (milliseconds: number) => {
      now += milliseconds
    },
  }
}

const request = (path = '/') =>
  ({ path, clientAddress: '192.0.2.1', header: () => undefined }) as unknown as Exchange
const idOf = (target: Subject | undefined) => target?.target.id

function picks(balancer: Balancer<Subject>, count: number): string {
  return Array.from({ length: count }, (_, index) => idOf(balancer.pick(request(`/${index}`), []))).join('')
}

const counts = (text: string) =>
  Object.fromEntries([...new Set(text)].sort().map((id) => [id, text.split(id).length - 1]))

describe.each([
  ['round-robin', plain],
  ['least-connections', leastConnections],
  ['consistent-hashing', byPath],
])('%s', (_, settings) => {
  test('passes over what is open, unhealthy, tried or without weight, and finds what is left', () => {
    const kinds = fc.array(fc.constantFrom('well', 'open', 'unhealthy', 'tried', 'weightless'), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(kinds, (kinds) => {
        const { balancer, targets, setHealth } = balance(
          { ...settings, panicThreshold: 0 },
          kinds.map((kind) => (kind === 'weightless' ? 0 : 100)),
        )
        for (const [index, kind] of kinds.entries()) {
          if (kind === 'open') targets[index]!.isOpen = true
          if (kind === 'unhealthy') setHealth(index, false)
        }
        const tried = targets.filter((_, index) => kinds[index] === 'tried')
        const picked = balancer.pick(request(), tried)
        const kind = picked && kinds[targets.indexOf(picked)]
        // One that was tried is tried again only where there is no other.
        const expected = (['well', 'tried'] as const).find((wanted) => kinds.includes(wanted))
        expect(kind).toBe(expected)
        expect(balancer.isBlocked).toBe(expected === undefined)
      }),
    )
  })

  test('goes on with the targets that it is given in place of others', () => {
    const { balancer, targets } = balance(settings, [100, 100, 100])
    balancer.replaceTargets(targets.slice(1))
    expect(counts(picks(balancer, 200))).toEqual({ b: expect.any(Number), c: expect.any(Number) })
    balancer.replaceTargets([])
    expect(balancer.pick(request(), [])).toBeUndefined()
    expect(balancer.isEmpty).toBe(true)
  })

  test('asks everybody when too few are healthy, and only the healthy when enough are', () => {
    const { balancer, setHealth } = balance(settings, [100, 100, 100, 100])
    setHealth(0, false)
    setHealth(1, false)
    expect(Object.keys(counts(picks(balancer, 200)))).toEqual(['c', 'd'])
    expect(balancer.panics).toBe(false)
    setHealth(2, false)
    expect(Object.keys(counts(picks(balancer, 200)))).toEqual(['a', 'b', 'c', 'd'])
    expect(balancer.panics).toBe(true)
    setHealth(0, true)
    expect(Object.keys(counts(picks(balancer, 200)))).toEqual(['a', 'd'])
  })
})

describe('slow start', () => {
  test('gives a target that is well again its weight bit by bit', () => {
    const { balancer, setHealth, pass } = balance({ slowStart: 10_000 }, [100, 100, 100])
    setHealth(0, false)
    setHealth(0, true)
    expect(counts(picks(balancer, 210))).toEqual({ a: 10, b: 100, c: 100 })
    pass(5_000)
    expect(counts(picks(balancer, 250))).toEqual({ a: 50, b: 100, c: 100 })
    pass(5_000)
    expect(counts(picks(balancer, 300))).toEqual({ a: 100, b: 100, c: 100 })
  })

  test('with hashes, moves keys to the target once, and no others', () => {
    const { balancer, setHealth, pass } = balance({ ...byPath, slowStart: 10_000 }, [100, 100, 100])
    const full = picks(balancer, 500)
    setHealth(0, false)
    let before = picks(balancer, 500)
    expect(before).not.toContain('a')
    setHealth(0, true)
    let seen = 0
    for (let step = 0; step <= 10; step++) {
      const after = picks(balancer, 500)
      for (const [index, owner] of [...after].entries()) if (owner !== before[index]) expect(owner).toBe('a')
      expect(counts(after).a).toBeGreaterThanOrEqual(seen)
      seen = counts(after).a!
      before = after
      pass(1_000)
    }
    expect(before).toBe(full)
  })
})

describe('least connections', () => {
  test('takes the one with fewer requests in flight for its weight', () => {
    const { balancer, targets } = balance(leastConnections, [100, 300])
    targets[0]!.inFlight = 2
    targets[1]!.inFlight = 5
    expect(counts(picks(balancer, 50))).toEqual({ b: 50 })
    targets[1]!.inFlight = 7
    expect(counts(picks(balancer, 50))).toEqual({ a: 50 })
  })

  test('leaves the busiest of many alone', () => {
    const { balancer, targets } = balance(leastConnections, [100, 100, 100, 100])
    targets[2]!.inFlight = 1
    expect(counts(picks(balancer, 400)).c).toBeUndefined()
  })

  test('keeps requests in flight even where some are long', () => {
    const { balancer } = balance(leastConnections, Array<number>(10).fill(100))
    for (let index = 0; index < 1_000; index++) balancer.pick(request(), [])!.inFlight++
    for (const { inFlight } of balancer.targets) expect(Math.abs(inFlight - 100)).toBeLessThan(10)
  })

  test('goes by weights where nothing is in flight', () => {
    const { balancer } = balance(leastConnections, [100, 300])
    const { b } = counts(picks(balancer, 2_000))
    expect(b).toBeGreaterThan(1_350)
    expect(b).toBeLessThan(1_650)
  })
})

describe('consistent hashing', () => {
  test('gives a key to the same target, on every worker', () => {
    const one = balance(byPath, [100, 100, 100])
    const other = balance(byPath, [100, 100, 100])
    expect(picks(one.balancer, 300)).toBe(picks(other.balancer, 300))
    expect(Object.keys(counts(picks(one.balancer, 300)))).toEqual(['a', 'b', 'c'])
  })

  test('moves only the keys of a target that is unhealthy, and gives them back', () => {
    const { balancer, setHealth } = balance(byPath, [100, 100, 100, 100])
    const before = picks(balancer, 500)
    setHealth(1, false)
    const without = picks(balancer, 500)
    for (const [index, owner] of [...before].entries()) {
      if (owner === 'b') expect(without[index]).not.toBe('b')
      else expect(without[index]).toBe(owner)
    }
    setHealth(1, true)
    expect(picks(balancer, 500)).toBe(before)
  })

  test('bounds what one key puts on a target, and spreads the rest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.double({ min: 1.05, max: 3, noNaN: true }),
        (count, factor) => {
          const { balancer, targets } = balance(
            { ...byPath, hashBalanceFactor: factor },
            Array<number>(count).fill(100),
          )
          for (let sent = 1; sent <= 120; sent++) {
            balancer.pick(request('/hot'), [])!.inFlight++
            for (const { inFlight } of targets) {
              expect(inFlight).toBeLessThanOrEqual(Math.ceil((factor * sent) / count))
            }
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('a second attempt goes to another target and the first stays what it was', () => {
    const { balancer } = balance(byPath, [100, 100, 100])
    const exchange = request('/x')
    const first = balancer.pick(exchange, [])!
    expect(balancer.pick(exchange, [first])).not.toBe(first)
    expect(balancer.pick(request('/x'), [])).toBe(first)
  })
})
