import { hash } from 'node:crypto'

const slotsOfBucket = 32
const slotBytes = BigInt64Array.BYTES_PER_ELEMENT
/** Of a slot the lower bits: until when it is taken, in seconds. */
const timeBits = 34n
const timeMask = (1n << timeBits) - 1n

/** Whether a nonce may be used: it is new, was there before, or cannot be told as there is no room. */
export type NonceVerdict = 'new' | 'used' | 'full'

/** Bytes that are a whole number of buckets. */
export const nonceMemory = (bytes: number): number =>
  Math.max(1, Math.floor(bytes / (slotsOfBucket * slotBytes))) * slotsOfBucket * slotBytes

/**
 * Nonces that were used, until they are of no use any more: in memory that all workers share. Each has a slot in a
 * bucket that its hash says. A slot is one 64-bit number, 30 bits of the hash (besides those of the bucket) and the
 * time, so that it is taken whole or not at all.
 */
export class NonceStore {
  readonly #slots: BigInt64Array
  readonly #buckets: number

  constructor(memory: SharedArrayBuffer) {
    this.#slots = new BigInt64Array(memory)
    this.#buckets = this.#slots.length / slotsOfBucket
  }

  /**
   * Takes a nonce; no two calls, on whichever worker, are told that it is new.
   * @param until - seconds of the Unix time after which it may come again
   */
  take(nonce: string, until: number): NonceVerdict {
    const digest = hash('sha256', nonce, 'buffer')
    const start = (digest.readUInt32LE(0) % this.#buckets) * slotsOfBucket
    const mark = BigInt(digest.readUInt32LE(4) >>> 2) << timeBits
    const now = BigInt(Math.floor(Date.now() / 1_000))
    const value = BigInt.asIntN(64, mark | BigInt(Math.ceil(until)))
    for (;;) {
      const index = this.#freeSlot(start, mark, now)
      if (index === 'used' || index === 'full') return index
      const before = Atomics.load(this.#slots, index)
      if (isTaken(before, now)) continue
      if (Atomics.compareExchange(this.#slots, index, before, value) === before)
        return this.#isAlone(start, index, mark, now) ? 'new' : 'used'
    }
  }

  #freeSlot(start: number, mark: bigint, now: bigint): number | 'used' | 'full' {
    let free: number | undefined
    for (let index = start; index < start + slotsOfBucket; index++) {
      const value = Atomics.load(this.#slots, index)
      if (!isTaken(value, now)) free ??= index
      else if (markOf(value) === mark) return 'used'
    }
    return free ?? 'full'
  }

  /** Two workers that saw other slots free may both have taken one: who comes later sees the other. */
  #isAlone(start: number, own: number, mark: bigint, now: bigint): boolean {
    for (let index = start; index < start + slotsOfBucket; index++) {
      const value = Atomics.load(this.#slots, index)
      if (index !== own && isTaken(value, now) && markOf(value) === mark) return false
    }
    return true
  }
}

const isTaken = (value: bigint, now: bigint): boolean => (value & timeMask) >= now
const markOf = (value: bigint): bigint => BigInt.asUintN(64, value) & ~timeMask
