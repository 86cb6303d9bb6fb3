import { monotonicNow } from '../../clock.ts'
import { SharedLock } from './shared-lock.ts'

/*
 * Sliding windows for many keys in memory that all workers share.
 *
 * In no span of one period do more than `limit` requests of a key pass, wherever the span begins: no clock edge lets
 * twice the limit through, as fixed windows do. A key has up to 128 cells in a ring; each takes an equal part of the
 * limit and remembers the time of its last request. A cell is used again when that time is a whole period ago. With a
 * limit up to 128 a cell is one request and the window is exact; above it, all but 1/128 of the limit can be used
 * even at the worst pattern of arrival.
 *
 * Buckets of eight keys, each under a lock of a few hundred nanoseconds. A bucket that is full forgets the key that
 * was quiet the longest.
 */

/** What a request is told. */
export interface Verdict {
  readonly passes: boolean
  /** Requests that would pass now. */
  readonly remaining: number
  /** Milliseconds until one more passes; 0 where one does. */
  readonly retryAfter: number
}

const mostCells = 128
const keysPerBucket = 8
// A period has this many ticks; times are ticks modulo 2^32.
const periodTicks = 65_536
// Words of a bucket before its keys, and of a key before its cells.
const bucketHead = 2
const lockWord = 0
const keyHead = 5
const hashLow = 0
const hashHigh = 1
const lastUsed = 2
const currentCell = 3
const cellFill = 4
// Words before the first bucket: two seeds of the hash.
const tableHead = 4

/** A part of memory that several share; `from` and `bytes` are multiples of four. */
export interface MemoryPart {
  readonly memory: SharedArrayBuffer
  readonly from: number
  readonly bytes: number
}

export class SlidingWindows {
  readonly #words: Int32Array
  readonly #lock: SharedLock
  readonly #limit: number
  readonly #ticksPerMillisecond: number
  readonly #now: () => number
  readonly #cells: number
  readonly #keySize: number
  readonly #bucketSize: number
  readonly #buckets: number

  /**
   * `period` in milliseconds. `memory` must be zeroed when the first worker sees it; `now` gives milliseconds of a
   * clock that is one for all workers.
   */
  constructor(
    memory: SharedArrayBuffer | MemoryPart,
    limit: number,
    period: number,
    now: () => number = monotonicNow,
  ) {
    this.#words =
      memory instanceof SharedArrayBuffer
        ? new Int32Array(memory)
        : new Int32Array(memory.memory, memory.from, memory.bytes >> 2)
    this.#lock = new SharedLock(this.#words)
    this.#limit = limit
    this.#ticksPerMillisecond = periodTicks / period
    this.#now = now
    this.#cells = Math.min(limit, mostCells)
    this.#keySize = keyHead + this.#cells
    this.#bucketSize = bucketHead + keysPerBucket * this.#keySize
    this.#buckets = Math.max(Math.floor((this.#words.length - tableHead) / this.#bucketSize), 1)
    if (this.#words.length < tableHead + this.#bucketSize)
      throw new RangeError('too little memory for one bucket')
    // Whoever comes first chooses the seeds; so nobody outside can choose keys that meet in one bucket.
    for (const seed of [0, 1]) Atomics.compareExchange(this.#words, seed, 0, (Math.random() * 0xffffffff) | 1)
  }

  /** Counts a request of the key if it passes. */
  take(key: string): Verdict {
    return this.#ask(key, true)
  }

  /** Whether `take` would let it pass now, and else when; does not say what remains. */
  peek(key: string): Verdict {
    return this.#ask(key, false)
  }

  #ask(key: string, counts: boolean): Verdict {
    let low = this.#words[0]!
    let high = this.#words[1]!
    for (let index = 0; index < key.length; index++) {
      const code = key.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15)
    }
    low = Math.imul(low ^ (low >>> 16), 0x45d9f3b) | 1 // never 0, which marks a free place
    const bucket = tableHead + (((high ^ (low >>> 7)) >>> 0) % this.#buckets) * this.#bucketSize
    this.#lock.take(bucket + lockWord)
    try {
      const now = Math.floor(this.#now() * this.#ticksPerMillisecond) | 0
      const entry = this.#find(bucket, low, high, now)
      return this.#takeFrom(entry, now, counts)
    } finally {
      this.#lock.release(bucket + lockWord)
    }
  }

  #takeFrom(entry: number, now: number, counts: boolean): Verdict {
    const words = this.#words
    words[entry + lastUsed] = now
    const cells = entry + keyHead
    let cell = words[entry + currentCell]!
    let fill = words[entry + cellFill]!
    if (fill > 0 && this.#isOver(cells + cell, now)) fill = 0
    if (fill >= this.#capacity(cell)) {
      const next = (cell + 1) % this.#cells
      if (!this.#isOver(cells + next, now)) {
        const ticksLeft = periodTicks + 1 - Math.max((now - words[cells + next]!) | 0, 0)
        return { passes: false, remaining: 0, retryAfter: ticksLeft / this.#ticksPerMillisecond }
      }
      cell = next
      fill = 0
      if (counts) words[entry + currentCell] = cell
    }
    if (!counts) return { passes: true, remaining: 0, retryAfter: 0 }
    words[entry + cellFill] = fill + 1
    words[cells + cell] = now
    const remaining = this.#capacity(cell) - fill - 1 + this.#freeBehind(cells, cell, now)
    return { passes: true, remaining, retryAfter: remaining > 0 ? 0 : this.#untilFree(cells, cell, now) }
  }

  #untilFree(cells: number, cell: number, now: number): number {
    const age = Math.max((now - this.#words[cells + ((cell + 1) % this.#cells)]!) | 0, 0)
    return Math.max(periodTicks + 1 - age, 0) / this.#ticksPerMillisecond
  }

  /** The part of the limit in the cells behind the current one that are free again: they lie together. */
  #freeBehind(cells: number, cell: number, now: number): number {
    let free = 0
    let used = this.#cells - 1
    while (free < used) {
      const middle = (free + used) >>> 1
      if (this.#isOver(cells + ((cell + 1 + middle) % this.#cells), now)) free = middle + 1
      else used = middle
    }
    const last = cell + 1 + free
    if (last <= this.#cells) return this.#before(last) - this.#before(cell + 1)
    return this.#limit - this.#before(cell + 1) + this.#before(last - this.#cells)
  }

  /** The part of the limit in the cells before one. */
  #before(cell: number): number {
    return Math.floor((cell * this.#limit) / this.#cells)
  }

  #capacity(cell: number): number {
    return this.#before(cell + 1) - this.#before(cell)
  }

  /** Whether a time is more than a period ago. Threads' clocks differ by less than a tick; that is not the past. */
  #isOver(word: number, now: number): boolean {
    const age = (now - this.#words[word]!) | 0
    return age > periodTicks || age < -periodTicks
  }

  #find(bucket: number, low: number, high: number, now: number): number {
    const words = this.#words
    let quietest = bucket + bucketHead
    let longest = -1
    for (let place = 0; place < keysPerBucket; place++) {
      const entry = bucket + bucketHead + place * this.#keySize
      if (words[entry + hashLow] === low && words[entry + hashHigh] === high) {
        if (this.#isOver(entry + lastUsed, now)) this.#clear(entry, low, high, now)
        return entry
      }
      const quiet =
        words[entry + hashLow] === 0 ? Number.POSITIVE_INFINITY : (now - words[entry + lastUsed]!) >>> 0
      if (quiet <= longest) continue
      longest = quiet
      quietest = entry
    }
    this.#clear(quietest, low, high, now)
    return quietest
  }

  #clear(entry: number, low: number, high: number, now: number): void {
    const words = this.#words
    words[entry + hashLow] = low
    words[entry + hashHigh] = high
    words[entry + lastUsed] = now
    words[entry + currentCell] = 0
    words[entry + cellFill] = 0
    words.fill((now - 2 * periodTicks) | 0, entry + keyHead, entry + this.#keySize)
  }
}
