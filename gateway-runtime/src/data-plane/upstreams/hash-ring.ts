/** A 32-bit hash of a text: FNV-1a, with the finaliser of MurmurHash3, as FNV alone spreads short keys badly. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return mix(hash)
}

/** Turns a hash into another one that has nothing to do with it. */
export function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const pointsPerWeight = 2.56 // 256 for the weight of 100 that a target has by default: shares are even within some 6 %
const mostPoints = 65_536
const owners = 2 ** 20

/**
 * Points on a circle of hashes, each owned by a target: a key belongs to the owner of the first point at or behind it
 * (Karger and others, "Consistent Hashing and Random Trees"). Where a target's points are follows from its id and
 * weight alone: so one that comes or goes moves only the keys that are its own, on every node alike.
 */
export class HashRing {
  readonly #points: Uint32Array
  readonly #owners: Uint32Array

  constructor(targets: readonly { readonly id: string; readonly weight: number }[]) {
    const total = targets.reduce((sum, { weight }) => sum + weight, 0)
    // Halved, not scaled: with half of their points, targets keep the other half where they were.
    let density = pointsPerWeight
    while (total * density > mostPoints) density /= 2
    const entries = targets.flatMap(({ id, weight }, owner) => {
      const count = weight > 0 ? Math.max(Math.round(weight * density), 1) : 0
      const seed = hashText(id)
      const other = hashText(`${id} `)
      return Array.from({ length: count }, (_, index) => mix(mix(seed + index) ^ other) * owners + owner)
    })
    const sorted = Float64Array.from(entries).sort()
    this.#points = Uint32Array.from(sorted, (entry) => Math.floor(entry / owners))
    this.#owners = Uint32Array.from(sorted, (entry) => entry % owners)
  }

  get length(): number {
    return this.#points.length
  }

  /** The position of the point that a hash belongs to. */
  find(hash: number): number {
    let low = 0
    let high = this.#points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#points[middle]! < hash) low = middle + 1
      else high = middle
    }
    return low === this.#points.length ? 0 : low
  }

  /** Index of the target that owns a point; behind the last comes the first. */
  ownerAt(position: number): number {
    return this.#owners[position % this.#owners.length]!
  }
}
