import { hash } from 'node:crypto'
import { monotonicNow } from '../../../clock.ts'
import { SharedLock } from '../shared-lock.ts'
import {
  deniedFloat,
  endFloat,
  freeWord,
  KeyLeases,
  keyHead,
  leftWord,
  lowWord,
  slotSize,
  startFloat,
  windowSize,
} from './key-leases.ts'

/*
 * The leases of a node, in memory that its workers and its main thread share.
 *
 * For each key and window there are two slots, one for the current window and one for the next, taken by turns (even
 * and odd numbers of windows). A slot holds how much of its lease is left and between which times of this node's
 * monotonic clock it may be used. Workers only take; the main thread fills and gives back. Buckets of eight keys, each
 * under a lock of a few hundred nanoseconds; a full bucket forgets the key that was quiet the longest: what was leased
 * for it then counts as used.
 */

const keysPerBucket = 8
const tableHead = 4
const bucketHead = 2

// Words of a key: see key-leases.ts for its windows.
const hashLow = 0
const hashHigh = 1
const digestWord = 2
const offeredWord = 6
const lastUsedFloat = 4 // words 8 and 9

const soonest = 50

/** What a worker is to do with a request. */
export type Decision =
  | 'passes'
  | 'refused'
  /** Nobody knows yet: ask the main thread, then try again. */
  | 'unknown'

export interface Taken {
  decision: Decision
  /** Whether the main thread should be told that this key runs low, or may have more by now. */
  wake: boolean
  /** Where the key is, for the main thread. */
  entry: number
  /** Index of the window that decided, or that has the least left. */
  window: number
  /** Requests that would still pass, as far as the node knows. */
  remaining: number
  /** Milliseconds to the end of that window. */
  reset: number
  /** With `unknown`: milliseconds until the lease that is at hand begins; 0: there is none. */
  begins: number
}

/** What a key is called on all nodes: 128 bits of its SHA-256. */
export interface KeyDigest {
  readonly words: Int32Array
  /** base64url. */
  readonly text: string
}

export class LeaseTable {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #windows: number
  readonly #lock: SharedLock
  readonly #keySize: number
  readonly #bucketSize: number
  readonly #buckets: number
  readonly #now: () => number
  /** Filled anew by each `take`: the request path makes no objects. */
  readonly #taken: Taken = {
    decision: 'unknown',
    wake: false,
    entry: 0,
    window: 0,
    remaining: 0,
    reset: 0,
    begins: 0,
  }

  /** `memory` must be zeroed when the first thread sees it; `now` gives milliseconds of one clock for all threads. */
  constructor(memory: SharedArrayBuffer, windows: number, now: () => number = monotonicNow) {
    this.#words = new Int32Array(memory)
    this.#floats = new Float64Array(memory, 0, Math.floor(memory.byteLength / 8))
    this.#lock = new SharedLock(this.#words)
    this.#windows = windows
    this.#now = now
    this.#keySize = keyHead + windows * windowSize
    this.#bucketSize = bucketHead + keysPerBucket * this.#keySize
    this.#buckets = Math.floor((this.#words.length - tableHead) / this.#bucketSize)
    if (this.#buckets < 1) throw new RangeError('too little memory for one bucket')
    // Whoever comes first chooses the seeds; so nobody outside can choose keys that meet in one bucket.
    for (const seed of [0, 1]) Atomics.compareExchange(this.#words, seed, 0, (Math.random() * 0xffffffff) | 1)
  }

  /** Takes one request of a key from the lease of each window, or from none. The answer is good until the next call. */
  take(key: string): Taken {
    let low = this.#words[0]!
    let high = this.#words[1]!
    for (let index = 0; index < key.length; index++) {
      const code = key.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15)
    }
    low = Math.imul(low ^ (low >>> 16), 0x45d9f3b) | 1 // never 0, which marks a free place
    const bucket = tableHead + (((high ^ (low >>> 7)) >>> 0) % this.#buckets) * this.#bucketSize
    this.#lock.take(bucket)
    try {
      const now = this.#now()
      const entry = this.#find(bucket, low, high, key)
      this.#floats[(entry >> 1) + lastUsedFloat] = now
      this.#taken.entry = entry
      const taken = this.#takeFrom(entry, now)
      // One that nobody could decide yet comes again.
      if (taken.decision !== 'unknown') this.#words[entry + offeredWord]!++
      return taken
    } finally {
      this.#lock.release(bucket)
    }
  }

  #takeFrom(entry: number, now: number): Taken {
    const words = this.#words
    const taken = this.#taken
    taken.wake = false
    taken.remaining = Number.POSITIVE_INFINITY
    for (let window = 0; window < this.#windows; window++) {
      const slot = this.#current(entry, window, now)
      if (slot === 0) return this.#notBegun(entry, window, now)
      if (words[slot + leftWord]! <= 0) return this.#empty(entry, window, slot, now)
    }
    for (let window = 0; window < this.#windows; window++) {
      const slot = this.#current(entry, window, now)
      const left = words[slot + leftWord]! - 1
      words[slot + leftWord] = left
      if (left === words[slot + lowWord]!) taken.wake = true
      const remaining = left + Math.max(words[slot + freeWord]!, 0)
      if (remaining >= taken.remaining) continue
      taken.remaining = remaining
      taken.window = window
      taken.reset = this.#floats[(slot >> 1) + endFloat]! - now
    }
    taken.decision = 'passes'
    return taken
  }

  #empty(entry: number, window: number, slot: number, now: number): Taken {
    const taken = this.#taken
    const denied = this.#floats[((entry + keyHead + window * windowSize) >> 1) + deniedFloat]!
    taken.window = window
    taken.remaining = 0
    taken.reset = this.#floats[(slot >> 1) + endFloat]! - now
    taken.begins = 0
    // Once told that there is no more in this window, requests do not wait to be told again.
    taken.decision = denied > this.#floats[(slot >> 1) + startFloat]! ? 'refused' : 'unknown'
    taken.wake = denied <= now
    return taken
  }

  #notBegun(entry: number, window: number, now: number): Taken {
    const taken = this.#taken
    taken.decision = 'unknown'
    taken.window = window
    taken.remaining = 0
    taken.reset = 0
    taken.begins = 0
    taken.wake = true
    for (const slot of this.#slots(entry, window)) {
      const begins = this.#floats[(slot >> 1) + startFloat]! - now
      if (begins <= 0 || begins > soonest || this.#words[slot + leftWord]! <= 0) continue
      taken.begins = begins
      taken.wake = false
    }
    return taken
  }

  /** The slot that may be used now; 0: none. */
  #current(entry: number, window: number, now: number): number {
    const first = entry + keyHead + window * windowSize
    const floats = this.#floats
    for (let slot = first; slot <= first + slotSize; slot += slotSize) {
      if (floats[(slot >> 1) + startFloat]! <= now && now < floats[(slot >> 1) + endFloat]!) return slot
    }
    return 0
  }

  #slots(entry: number, window: number): [number, number] {
    const first = entry + keyHead + window * windowSize
    return [first, first + slotSize]
  }

  #find(bucket: number, low: number, high: number, key: string): number {
    const words = this.#words
    let quietest = bucket + bucketHead
    let longest = Number.POSITIVE_INFINITY
    for (let place = 0; place < keysPerBucket; place++) {
      const entry = bucket + bucketHead + place * this.#keySize
      if (words[entry + hashLow] === low && words[entry + hashHigh] === high) return entry
      const lastUsed =
        words[entry + hashLow] === 0 ? Number.NEGATIVE_INFINITY : this.#floats[(entry >> 1) + lastUsedFloat]!
      if (lastUsed >= longest) continue
      longest = lastUsed
      quietest = entry
    }
    words.fill(0, quietest, quietest + this.#keySize)
    words[quietest + hashLow] = low
    words[quietest + hashHigh] = high
    const digest = hash('sha256', key, 'buffer')
    for (let word = 0; word < 4; word++) words[quietest + digestWord + word] = digest.readInt32LE(word * 4)
    return quietest
  }

  /** Which key is at a place of the table now. */
  digestAt(entry: number): KeyDigest {
    const words = this.#words.slice(entry + digestWord, entry + digestWord + 4)
    return { words, text: Buffer.from(words.buffer).toString('base64url') }
  }

  /** Whether it is still there. */
  has(entry: number, { words }: KeyDigest): boolean {
    for (let word = 0; word < 4; word++)
      if (this.#words[entry + digestWord + word] !== words[word]) return false
    return true
  }

  /** How many requests of the key were decided, modulo 2^32, and when the last came. */
  useOf(entry: number): { readonly offered: number; readonly lastUsed: number } {
    return {
      offered: this.#words[entry + offeredWord]!,
      lastUsed: this.#floats[(entry >> 1) + lastUsedFloat]!,
    }
  }

  /** Changes the leases of a key while nobody takes from them. False: another key has its place by now. */
  change(entry: number, digest: KeyDigest, change: (leases: KeyLeases) => void): boolean {
    const bucket = tableHead + Math.floor((entry - tableHead) / this.#bucketSize) * this.#bucketSize
    this.#lock.take(bucket)
    try {
      if (!this.has(entry, digest)) return false
      change(new KeyLeases(this.#words, this.#floats, entry))
      return true
    } finally {
      this.#lock.release(bucket)
    }
  }
}
