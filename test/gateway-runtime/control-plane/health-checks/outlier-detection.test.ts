import { compile } from '@gatehouse/gateway-runtime/config'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { OutlierDetection } from '../../../../gateway-runtime/src/control-plane/health-checks/outlier-detection.ts'
import { SharedMemoryAllocator } from '../../../../gateway-runtime/src/control-plane/shared-memory.ts'
import { TargetHealth } from '../../../../gateway-runtime/src/data-plane/upstreams/health.ts'
import { OutcomeWindow } from '../../../../gateway-runtime/src/data-plane/upstreams/outcome-window.ts'
import type { Fields } from '../../../../gateway-runtime/src/telemetry/error-log.ts'
import { asYaml, load } from '../../config/configurations.ts'

const running: OutlierDetection[] = []
afterEach(() => {
  for (const detection of running.splice(0)) detection.stop()
})

const settings = {
  failure_percent: 50,
  window: '10s',
  minimum_requests: 10,
  ejection_time: '30s',
  max_ejected_percent: 50,
}

const snapshotOf = (ports: readonly number[], passive: object | undefined) =>
  compile(
    load(
      asYaml({
        upstreams: [
          {
            name: 'u',
            targets: ports.map((port) => ({ target: `h:${port}` })),
            healthchecks: { passive: passive && { ...settings, ...passive } },
          },
        ],
      }),
    ),
  )

/** Watches the targets h:1, h:2, …; nothing happens but what a test asks for, at the time that it says. */
function watch(targets: number, passive: object = {}) {
  let now = 100_000
  const lines: [event: string, fields: Fields][] = []
  const memory = new SharedMemoryAllocator(1)
  const write = (_: string, event: string, fields: Fields = {}) => void lines.push([event, fields])
  const detection = new OutlierDetection(memory, { write }, () => now)
  running.push(detection)
  const ports = Array.from({ length: targets }, (_, index) => index + 1)
  const stateOf = (port: number) => memory.targets.get(`u/h:${port}`)!
  const apply = (ports: readonly number[], passive: object | undefined) => {
    const snapshot = snapshotOf(ports, passive)
    memory.prepare(snapshot)
    detection.apply(snapshot)
  }
  apply(ports, passive)
  return {
    lines,
    apply,
    sweep: () => detection.sweep(),
    pass: (milliseconds: number) => {
      now += milliseconds
    },
    /** Counts requests to a target as a worker does. */
    answer: (port: number, successes: number, failures: number) => {
      const outcomes = new OutcomeWindow(stateOf(port), 10_000, () => now)
      for (let index = 0; index < successes; index++) outcomes.countSuccess()
      for (let index = 0; index < failures; index++) outcomes.countFailure(false)
    },
    health: (port: number) => new TargetHealth(stateOf(port)),
    states: () => ports.map((port) => new TargetHealth(stateOf(port)).state),
    changes: () => new Int32Array(memory.forWorker(0).healthChanges)[0],
  }
}

describe('a target', () => {
  test.each([
    [5, 5, 'ejected'],
    [6, 5, 'healthy'],
    [0, 9, 'healthy'],
    [0, 10, 'ejected'],
    [500, 0, 'healthy'],
  ])('with %i successes and %i failures is %s', (successes, failures, state) => {
    const { sweep, answer, states } = watch(2)
    answer(1, successes, failures)
    sweep()
    expect(states()).toEqual([state, 'healthy'])
  })

  test('is ejected because of the window that ends now, not of what was before', () => {
    const { sweep, answer, states, pass } = watch(2)
    answer(1, 0, 9)
    pass(10_000)
    answer(1, 5, 4)
    sweep()
    expect(states()).toEqual(['healthy', 'healthy'])
  })

  test('comes back by itself, with nothing held against it', () => {
    const { sweep, answer, states, pass, lines, changes, health } = watch(2)
    answer(1, 3, 9)
    sweep()
    pass(29_999)
    answer(1, 0, 50) // answers to requests from before
    sweep()
    expect(states()).toEqual(['ejected', 'healthy'])
    pass(1)
    sweep()
    sweep()
    expect(states()).toEqual(['healthy', 'healthy'])
    expect([changes(), health(1).ejections]).toEqual([2, 1])
    expect([health(1).warmth(86_400_000), health(2).warmth(86_400_000)]).toEqual([0.1, 1]) // a slow start
    expect(lines).toEqual([
      [
        'target ejected',
        { upstream: 'u', target: 'h:1', reason: '9 of 12 requests failed', duration: '30000 ms' },
      ],
      ['target readmitted', { upstream: 'u', target: 'h:1' }],
    ])
  })

  test('stays away longer each time in a row, up to ten times as long, and begins anew after a while', () => {
    const { sweep, answer, pass, lines } = watch(2)
    const ejectFor = () => {
      answer(1, 0, 10)
      sweep()
      const duration = Number.parseInt(String(lines.at(-1)![1].duration), 10)
      pass(duration)
      sweep()
      expect(lines.at(-1)![0]).toBe('target readmitted')
      return duration / 30_000
    }
    expect(Array.from({ length: 12 }, ejectFor)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10])
    pass(299_999)
    expect(ejectFor()).toBe(10)
    pass(300_000)
    expect(ejectFor()).toBe(1)
  })
})

describe('of several targets', () => {
  test('never more are ejected than may be, the worst first', () => {
    const { sweep, answer, states } = watch(5)
    for (const [index, successes] of [4, 0, 8, 2, 100].entries()) answer(index + 1, successes, 10)
    sweep()
    sweep()
    expect(states()).toEqual(['healthy', 'ejected', 'healthy', 'ejected', 'healthy'])
  })

  test('a single one is never ejected by default', () => {
    const { sweep, answer, states } = watch(1)
    answer(1, 0, 1_000)
    sweep()
    expect(states()).toEqual(['healthy'])
  })

  test('whatever happens, the bound holds and each comes back', () => {
    const event = fc.record({
      port: fc.integer({ min: 1, max: 6 }),
      failures: fc.integer({ min: 0, max: 30 }),
      wait: fc.integer({ min: 0, max: 40_000 }),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(event, { maxLength: 40 }), (percent, events) => {
        const { sweep, answer, states, pass } = watch(6, { max_ejected_percent: percent })
        for (const { port, failures, wait } of events) {
          answer(port, 10, failures)
          pass(wait)
          sweep()
          const ejected = states().filter((state) => state === 'ejected').length
          expect(ejected).toBeLessThanOrEqual(Math.floor((6 * percent) / 100))
        }
        pass(300_000)
        sweep()
        expect(states()).toEqual(Array(6).fill('healthy'))
      }),
      { numRuns: 50 },
    )
  })
})

describe('a reload', () => {
  test('keeps who is ejected, and for how long', () => {
    const { sweep, answer, states, pass, apply } = watch(2)
    answer(1, 0, 10)
    sweep()
    pass(20_000)
    apply([1, 2, 3], { ejection_time: '1h' })
    sweep()
    expect(states()).toEqual(['ejected', 'healthy'])
    pass(10_000)
    sweep()
    expect(states()).toEqual(['healthy', 'healthy'])
  })

  test('without passive checks takes all back', () => {
    const { sweep, answer, states, changes, apply } = watch(2)
    answer(1, 0, 10)
    sweep()
    apply([1, 2], undefined)
    expect(states()).toEqual(['healthy', 'healthy'])
    expect(changes()).toBe(2)
  })

  test('that takes healthy targets away gives back as many as must be', () => {
    const { sweep, answer, pass, health, apply } = watch(4)
    answer(1, 0, 10)
    sweep()
    pass(1_000)
    answer(2, 0, 10)
    sweep()
    apply([1, 2], {})
    sweep()
    expect([health(1).state, health(2).state]).toEqual(['healthy', 'ejected'])
  })
})

test('a target that checks find unhealthy besides is healthy only when nothing speaks against it', () => {
  const { sweep, answer, pass, health } = watch(2)
  health(1).passesChecks = false
  answer(1, 0, 10)
  sweep()
  expect(health(1).state).toBe('unhealthy')
  health(1).passesChecks = true
  expect([health(1).state, health(1).isHealthy]).toEqual(['ejected', false])
  pass(30_000)
  sweep()
  expect([health(1).state, health(1).isHealthy]).toEqual(['healthy', true])
})
