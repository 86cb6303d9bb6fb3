import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { SharedStore } from '../../../../gateway-runtime/src/plugins/proxy-cache/shared-store.ts'

const newStore = (bytes = 262_144) => new SharedStore(new SharedArrayBuffer(bytes))

describe('the shared store', () => {
  test('gives back what was put under a key last, or nothing', () => {
    const key = fc.integer({ min: 0, max: 20 }).map((number) => `key ${number}`)
    const value = fc.uint8Array({ maxLength: 10_000 }).map((bytes) => Buffer.from(bytes))
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, value }),
      fc.record({ kind: fc.constant('delete' as const), key }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const store = newStore()
        const expected = new Map<string, Buffer>()
        for (const one of steps) {
          if (one.kind === 'put') {
            store.put(one.key, one.value)
            expected.set(one.key, one.value)
          } else {
            store.delete(one.key)
            expected.delete(one.key)
          }
          for (const [known, bytes] of expected) {
            const found = store.get(known)
            if (found) expect(found.value.equals(bytes)).toBe(true)
          }
          if (one.kind === 'put') expect(store.get(one.key)?.value.equals(one.value)).toBe(true)
          else expect(store.get(one.key)).toBeUndefined()
        }
      }),
    )
  })

  test('lets the oldest go when it is full, and takes nothing that is too large', () => {
    const store = newStore()
    const value = Buffer.alloc(10_000, 'x')
    for (let number = 0; number < 100; number++) expect(store.put(`key ${number}`, value)).toBe(true)
    expect(store.get('key 0')).toBeUndefined()
    expect(store.get('key 99')?.value.equals(value)).toBe(true)
    const kept = [...store.entries()].map(([key]) => key)
    expect(kept.length).toBeGreaterThan(15)
    expect(kept).toContain('key 99')
    expect(store.put('large', Buffer.alloc(store.largest))).toBe(false)
    expect(store.get('large')).toBeUndefined()
  })

  test('tells another record by its position', () => {
    const store = newStore()
    store.put('key', Buffer.from('one'))
    const first = store.get('key')!.position
    store.put('key', Buffer.from('two'))
    expect(store.get('key')!.position).not.toBe(first)
  })
})
