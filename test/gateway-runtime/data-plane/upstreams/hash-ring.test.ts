import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { HashRing, hashText } from '../../../../gateway-runtime/src/data-plane/upstreams/hash-ring.ts'

const keys = Array.from({ length: 2_000 }, (_, index) => hashText(`key ${index}`))
type Member = { readonly id: string; readonly weight: number }
const targets = (count: number): Member[] =>
  Array.from({ length: count }, (_, index) => ({ id: `u/10.0.0.${index}:80`, weight: 100 }))

function ownersOf(members: readonly Member[]): string[] {
  const ring = new HashRing(members)
  return keys.map((key) => members[ring.ownerAt(ring.find(key))]!.id)
}

const members = fc.uniqueArray(
  fc.record({ id: fc.string({ minLength: 1, maxLength: 30 }), weight: fc.integer({ min: 1, max: 200 }) }),
  { minLength: 2, maxLength: 12, selector: ({ id }) => id },
)

describe('on a ring', () => {
  test('only the keys of a target that goes move, whatever the order of the others', () => {
    fc.assert(
      fc.property(members, fc.nat(), (all, pick) => {
        const gone = all[pick % all.length]!
        const before = ownersOf(all)
        const after = ownersOf(all.filter((member) => member !== gone).reverse())
        for (const [index, owner] of before.entries()) {
          if (owner === gone.id) expect(after[index]).not.toBe(gone.id)
          else expect(after[index]).toBe(owner)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('targets get keys by their weights', () => {
    const owners = ownersOf([
      { id: 'u/a:80', weight: 100 },
      { id: 'u/b:80', weight: 300 },
      { id: 'u/c:80', weight: 0 },
    ])
    const share = owners.filter((owner) => owner === 'u/b:80').length / owners.length
    expect(share).toBeGreaterThan(0.65)
    expect(share).toBeLessThan(0.85)
    expect(owners).not.toContain('u/c:80')
  })

  test('equal targets get about equal shares', () => {
    const owners = ownersOf(targets(8))
    for (const { id } of targets(8)) {
      const share = owners.filter((owner) => owner === id).length / owners.length
      expect(Math.abs(share - 1 / 8)).toBeLessThan(0.04)
    }
  })

  test('points are bounded, however many targets and however heavy', () => {
    const heavy = targets(1_024).map(({ id }) => ({ id, weight: 65_535 }))
    expect(new HashRing(heavy).length).toBeLessThanOrEqual(65_536)
    expect(new Set(ownersOf(heavy)).size).toBeGreaterThan(800)
  })
})
