import { compile } from '@gatehouse/gateway-runtime/config'
import { expect, test } from '@jest/globals'
import { SharedMemoryAllocator } from '../../../gateway-runtime/src/control-plane/shared-memory.ts'
import { TargetHealth } from '../../../gateway-runtime/src/data-plane/upstreams/health.ts'
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
