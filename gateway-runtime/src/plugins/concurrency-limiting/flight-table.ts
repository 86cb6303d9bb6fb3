import { hash } from 'node:crypto'
import { monotonicNow } from '../../clock.ts'
import { SharedLock } from '../rate-limiting/shared-lock.ts'

/*
 * Requests in flight by key, in memory that the workers of a node and its main thread share. Each worker has a column
 * of its own beside the sum, so that what a worker that died had in flight can be taken off. Buckets of eight keys,
 * each under a lock; a key is forgotten only when it has nothing in flight.
 */

const keysPerBucket = 8
const columns = 64
const tableHead = 4
const bucketHead = 2
const hashLow = 0
const hashHigh = 1
const digestWord = 2
const inFlightWord = 6
const grantedWord = 7
const lastUsedFloat = 4 // words 8 and 9
const deniedFloat = 5 // words 10 and 11
const columnWord = 12
const keySize = columnWord + columns
const bucketSize = bucketHead + keysPerBucket * keySize

export interface Entered {
  /** `unknown`: the main thread has to be asked first. */
  readonly decision: 'passes' | 'refused' | 'unknown'
  /** Where the key is; 0: the table is too full to count it. */
  readonly entry: number
  /** In flight on this node, with this request where it passes. */
  readonly inFlight: number
}

/** What the main thread sees of a key. */
export interface Flight {
  readonly digest: string
  readonly inFlight: number
  /** How many this node may have in flight. */
  readonly granted: number
}

export class FlightTable {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #lock: SharedLock
  readonly #buckets: number

  /** `memory` must be zeroed when the first thread sees it. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#floats = new Float64Array(memory, 0, Math.floor(memory.byteLength / 8))
    this.#lock = new SharedLock(this.#words)
    this.#buckets = Math.floor((this.#words.length - tableHead) / bucketSize)
    if (this.#buckets < 1) throw new RangeError('too little memory for one bucket')
    // Whoever comes first chooses the seeds; so nobody outside can choose keys that meet in one bucket.
    for (const seed of [0, 1]) Atomics.compareExchange(this.#words, seed, 0, (Math.random() * 0xffffffff) | 1)
  }

  /**
   * Counts a request in, if there is room for it.
   * @param most - how many may be in flight on this node; undefined: as many as the main thread has granted
   */
  enter(key: string, worker: number, most: number | undefined): Entered {
    const { bucket, low, high } = this.#place(key)
    const words = this.#words
    this.#lock.take(bucket)
    try {
      const entry = this.#find(bucket, low, high, key)
      if (entry === 0) return { decision: 'passes', entry, inFlight: 0 }
      const now = monotonicNow()
      this.#floats[(entry >> 1) + lastUsedFloat] = now
      const inFlight = words[entry + inFlightWord]!
      if (inFlight < (most ?? words[entry + grantedWord]!)) {
        words[entry + inFlightWord] = inFlight + 1
        words[entry + columnWord + (worker % columns)]!++
        return { decision: 'passes', entry, inFlight: inFlight + 1 }
      }
      const isDenied = most !== undefined || now < this.#floats[(entry >> 1) + deniedFloat]!
      return { decision: isDenied ? 'refused' : 'unknown', entry, inFlight }
    } finally {
      this.#lock.release(bucket)
    }
  }

  /** The request is over. */
  leave(entry: number, worker: number): void {
    if (entry === 0) return
    this.#locked(entry, () => {
      this.#words[entry + inFlightWord]!--
      this.#words[entry + columnWord + (worker % columns)]!--
    })
  }

  /** Takes off what a worker had in flight that died; called by the one that takes its place. */
  clearWorker(worker: number): void {
    const column = columnWord + (worker % columns)
    for (let bucket = tableHead; bucket < tableHead + this.#buckets * bucketSize; bucket += bucketSize) {
      this.#lock.take(bucket)
      for (let place = 0; place < keysPerBucket; place++) {
        const entry = bucket + bucketHead + place * keySize
        this.#words[entry + inFlightWord]! -= this.#words[entry + column]!
        this.#words[entry + column] = 0
      }
      this.#lock.release(bucket)
    }
  }

  /** What a key has; undefined where the place is free. */
  read(entry: number): Flight | undefined {
    const words = this.#words
    if (words[entry + hashLow] === 0) return undefined
    const digest = Buffer.from(words.slice(entry + digestWord, entry + digestWord + 4).buffer)
    return {
      digest: digest.toString('base64url'),
      inFlight: words[entry + inFlightWord]!,
      granted: words[entry + grantedWord]!,
    }
  }

  /**
   * Lets the node have so many in flight; where more are, as many as there are. Returns how many that is.
   * @param deniedFor - milliseconds in which requests beyond that are refused without asking
   */
  grant(entry: number, granted: number, deniedFor: number): number {
    return this.#locked(entry, () => {
      const most = Math.max(granted, this.#words[entry + inFlightWord]!)
      this.#words[entry + grantedWord] = most
      this.#floats[(entry >> 1) + deniedFloat] = monotonicNow() + deniedFor
      return most
    })
  }

  #locked<Result>(entry: number, change: () => Result): Result {
    const bucket = tableHead + Math.floor((entry - tableHead) / bucketSize) * bucketSize
    this.#lock.take(bucket)
    try {
      return change()
    } finally {
      this.#lock.release(bucket)
    }
  }

  #place(key: string): { bucket: number; low: number; high: number } {
    let low = this.#words[0]!
    let high = this.#words[1]!
    for (let index = 0; index < key.length; index++) {
      const code = key.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15)
    }
    low = Math.imul(low ^ (low >>> 16), 0x45d9f3b) | 1 // never 0, which marks a free place
    return { bucket: tableHead + (((high ^ (low >>> 7)) >>> 0) % this.#buckets) * bucketSize, low, high }
  }

  #find(bucket: number, low: number, high: number, key: string): number {
    const words = this.#words
    let quietest = 0
    let longest = Number.POSITIVE_INFINITY
    for (let place = 0; place < keysPerBucket; place++) {
      const entry = bucket + bucketHead + place * keySize
      if (words[entry + hashLow] === low && words[entry + hashHigh] === high) return entry
      if (words[entry + inFlightWord]! > 0) continue
      const lastUsed =
        words[entry + hashLow] === 0 ? Number.NEGATIVE_INFINITY : this.#floats[(entry >> 1) + lastUsedFloat]!
      if (lastUsed >= longest) continue
      longest = lastUsed
      quietest = entry
    }
    if (quietest === 0) return 0
    words.fill(0, quietest, quietest + keySize)
    words[quietest + hashLow] = low
    words[quietest + hashHigh] = high
    const digest = hash('sha256', key, 'buffer')
    for (let word = 0; word < 4; word++) words[quietest + digestWord + word] = digest.readInt32LE(word * 4)
    return quietest
  }
}
