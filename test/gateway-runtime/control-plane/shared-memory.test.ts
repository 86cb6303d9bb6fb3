import { compile } from '@gatehouse/gateway-runtime/config'
import { expect, test } from '@jest/globals'
import { MetricBlocks } from '../../../gateway-runtime/src/control-plane/metric-blocks.ts'
import { SharedMemoryAllocator } from '../../../gateway-runtime/src/control-plane/shared-memory.ts'
import { TargetHealth } from '../../../gateway-runtime/src/data-plane/upstreams/health.ts'
import { blockOffset, seriesKey } from '../../../gateway-runtime/src/telemetry/metrics.ts'
import { asYaml, load } from '../config/configurations.ts'

const snapshotOf = (...targets: string[]) =>
  compile(load(asYaml({ upstreams: [{ name: 'u', targets: targets.map((target) => ({ target })) }] })))

test('a target keeps its memory over reloads, and when one that would have removed it is taken back', () => {
  const memory = new SharedMemoryAllocator(1)
  memory.prepare(snapshotOf('a:1', 'b:1'))
  const [a, b] = ['u/a:1', 'u/b:1'].map((id) => memory.targets.get(id))
  const takeBack = memory.prepare(snapshotOf('a:1'))
  expect([...memory.targets.keys()]).toEqual(['u/a:1'])
  expect(memory.targets.get('u/a:1')).toBe(a)
  takeBack()
  expect(memory.targets.get('u/a:1')).toBe(a)
  expect(memory.targets.get('u/b:1')).toBe(b)
})

test('a change of health is counted for the workers', () => {
  const memory = new SharedMemoryAllocator(1)
  memory.prepare(snapshotOf('a:1'))
  const state = memory.targets.get('u/a:1')!
  memory.changeHealth(state, (health) => {
    health.passesChecks = false
  })
  expect(new Int32Array(memory.forWorker(0).healthChanges)[0]).toBe(1)
  expect(new TargetHealth(state).isHealthy).toBe(false)
})

test('series keep their blocks while they are away, and names that come and go take no more of them', () => {
  const blocks = new MetricBlocks(4)
  const cleared: number[] = []
  const name = (...series: string[]) => {
    blocks.name(new Set(series), (block) => cleared.push(block))
    const taken = [...blocks.all.values()]
    expect(new Set(taken).size).toBe(taken.length)
    expect(Math.max(...taken)).toBeLessThan(blocks.capacity)
    return series.map((key) => blocks.all.get(key)!)
  }
  const [stays, leaves] = name('stays', 'leaves')
  name('stays')
  expect(name('stays', 'leaves')).toEqual([stays, leaves])
  for (let index = 0; index < 100; index++) expect(name('stays', `new-${index}`)[0]).toBe(stays)
  expect(blocks.capacity).toBe(4)
  expect(cleared).toHaveLength(98)
  expect(cleared).not.toContain(stays)
  // More at once than there is room for.
  name(...Array.from({ length: 10 }, (_, index) => `many-${index}`))
  expect(blocks.capacity).toBeGreaterThanOrEqual(10)
})

test('what a series counted is not told of the one that takes its block', () => {
  const routes = (...names: string[]) =>
    compile(
      load(
        asYaml({
          services: [{ name: 's', url: 'http://a' }],
          routes: names.map((route) => ({ name: route, service: 's', paths: [`/${route}`] })),
        }),
      ),
    )
  const memory = new SharedMemoryAllocator(1)
  const requests = (route: string) => {
    const offset = blockOffset(memory.metricBlocks.get(seriesKey(route, 's'))!)
    return new Float64Array(memory.metrics[0]!, offset * Float64Array.BYTES_PER_ELEMENT)
  }
  for (let index = 0; index < 200; index++) {
    memory.prepare(routes('always', `route-${index}`))
    expect([requests('always')[0], requests(`route-${index}`)[0]]).toEqual([index, 0])
    requests('always')[0]!++
    requests(`route-${index}`)[0]!++
  }
})
