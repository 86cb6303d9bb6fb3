import { crc32 } from 'node:zlib'

/*
 * Records by key, in memory that all workers share.
 *
 * The records lie in a ring: a new one goes behind the last, over the oldest ones. An index of buckets with four
 * places says where the record of a key begins, as a position that only grows: what lies more than the size of the
 * ring behind the newest is gone. Writers reserve their part and enter it in the index under a lock of some hundred
 * nanoseconds; readers take none. They copy what they find and see by checksum, key and position whether it is what
 * they looked for: a torn or overwritten record is a miss, never another's bytes.
 */

const lockWord = 0
const headWord = 1 // two words: a float of 53 bits
const seedWord = 4
const purgeWord = 5 // goes up when a purge begins, and when it ends
const indexStart = 8
const placesInBucket = 4
const placeWords = 4 // hash, position as a float, length
const bytesOfIndexPart = 16 // one part in sixteen of the memory is the index
const recordHead = 12 // checksum, length of key, length of value
const spinsBeforeTaking = 1_000_000

export interface FoundRecord {
  /** Where it lies: another one for whatever is put under the key later. */
  readonly position: number
  readonly value: Buffer
}

export class SharedStore {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #data: Buffer
  readonly #buckets: number
  /** Bytes of the largest record, with its key. */
  readonly largest: number

  /**
   * @param memory - must be zeroed when the first worker sees it
   * @param reserved - bytes at its end that are for others
   */
  constructor(memory: SharedArrayBuffer, reserved = 0) {
    const bytes = memory.byteLength - reserved
    const indexBytes = Math.floor(bytes / bytesOfIndexPart)
    this.#words = new Int32Array(memory)
    this.#floats = new Float64Array(memory)
    this.#buckets = Math.floor((indexBytes / 4 - indexStart) / (placesInBucket * placeWords))
    if (this.#buckets < 1) throw new RangeError('too little memory for a cache')
    const dataStart = Math.ceil(indexBytes / 8) * 8
    this.#data = Buffer.from(memory, dataStart, bytes - dataStart)
    this.largest = Math.floor(this.#data.length / 8)
    // Whoever comes first chooses the seed; so nobody outside can choose keys that meet in one bucket.
    Atomics.compareExchange(this.#words, seedWord, 0, (Math.random() * 0xffffffff) | 1)
  }

  get(key: string): FoundRecord | undefined {
    const hash = this.hash(key)
    const bucket = this.#bucketOf(hash)
    for (let place = 0; place < placesInBucket; place++) {
      const at = bucket + place * placeWords
      if (Atomics.load(this.#words, at) !== hash) continue
      const position = this.#floats[(at + 2) / 2]!
      const value = this.#read(position, Atomics.load(this.#words, at + 1), key)
      if (value) return { position, value }
    }
    return undefined
  }

  /** Whether what was found there before is still what is kept under the key. */
  isStillAt(position: number, key: string): boolean {
    const hash = this.hash(key)
    const bucket = this.#bucketOf(hash)
    for (let place = 0; place < placesInBucket; place++) {
      const at = bucket + place * placeWords
      if (this.#floats[(at + 2) / 2] === position && Atomics.load(this.#words, at) === hash)
        return this.#isThere(position)
    }
    return false
  }

  /** Returns whether it was kept: what is larger than an eighth of the memory is not. */
  put(key: string, value: Buffer): boolean {
    const keyBytes = Buffer.from(key)
    const length = recordHead + keyBytes.length + value.length
    if (length > this.largest) return false
    const position = this.#reserve(length)
    const start = position % this.#data.length
    this.#data.writeUInt32LE(keyBytes.length, start + 4)
    this.#data.writeUInt32LE(value.length, start + 8)
    keyBytes.copy(this.#data, start + recordHead)
    value.copy(this.#data, start + recordHead + keyBytes.length)
    this.#data.writeUInt32LE(crc32(this.#data.subarray(start + 4, start + length)), start)
    this.#enter(this.hash(key), position, length)
    return true
  }

  delete(key: string): void {
    const hash = this.hash(key)
    const bucket = this.#bucketOf(hash)
    this.#locked(() => {
      for (let place = 0; place < placesInBucket; place++) {
        const at = bucket + place * placeWords
        if (this.#words[at] === hash) Atomics.store(this.#words, at, 0)
      }
    })
  }

  /** What was asked for before this was another number is too old to be kept. */
  get purges(): number {
    return Atomics.load(this.#words, purgeWord)
  }

  countPurge(): void {
    Atomics.add(this.#words, purgeWord, 1)
  }

  /** All keys, with their values; for what is done seldom. */
  *entries(): Iterable<readonly [key: string, value: Buffer]> {
    for (let index = 0; index < this.#buckets * placesInBucket; index++) {
      const at = indexStart + index * placeWords
      if (this.#words[at] === 0) continue
      const record = this.#copy(this.#floats[(at + 2) / 2]!, this.#words[at + 1]!)
      if (!record) continue
      const keyEnd = recordHead + record.readUInt32LE(4)
      yield [record.toString('utf8', recordHead, keyEnd), record.subarray(keyEnd)]
    }
  }

  #read(position: number, length: number, key: string): Buffer | undefined {
    const record = this.#copy(position, length)
    if (!record) return undefined
    const keyEnd = recordHead + record.readUInt32LE(4)
    return record.toString('utf8', recordHead, keyEnd) === key ? record.subarray(keyEnd) : undefined
  }

  /** The record, where one is there as a whole. */
  #copy(position: number, length: number): Buffer | undefined {
    const start = position % this.#data.length
    const isWithin = length >= recordHead && length <= this.largest && start + length <= this.#data.length
    if (!isWithin || !this.#isThere(position)) return undefined
    const record = Buffer.allocUnsafe(length)
    this.#data.copy(record, 0, start, start + length)
    if (!this.#isThere(position)) return undefined
    const lengths = recordHead + record.readUInt32LE(4) + record.readUInt32LE(8)
    const isSound = lengths === length && record.readUInt32LE(0) === crc32(record.subarray(4))
    return isSound ? record : undefined
  }

  #isThere(position: number): boolean {
    return this.#floats[headWord]! - position <= this.#data.length
  }

  /** The position of so many bytes that lie together. */
  #reserve(length: number): number {
    return this.#locked(() => {
      const capacity = this.#data.length
      let position = this.#floats[headWord]!
      const left = capacity - (position % capacity)
      if (left < length) position += left
      this.#floats[headWord] = position + Math.ceil(length / 8) * 8
      return position
    })
  }

  /** In the place of the same key, a free or an outdated one; else of the oldest. */
  #enter(hash: number, position: number, length: number): void {
    const bucket = this.#bucketOf(hash)
    this.#locked(() => {
      let chosen = bucket
      let oldest = Number.POSITIVE_INFINITY
      for (let place = 0; place < placesInBucket; place++) {
        const at = bucket + place * placeWords
        const isSame = this.#words[at] === hash
        const age = isSame ? -1 : this.#words[at] === 0 ? 0 : this.#floats[(at + 2) / 2]! + 1
        if (age >= oldest) continue
        oldest = age
        chosen = at
      }
      Atomics.store(this.#words, chosen, 0)
      this.#floats[(chosen + 2) / 2] = position
      this.#words[chosen + 1] = length
      Atomics.store(this.#words, chosen, hash)
    })
  }

  /** Never 0, and another one for each memory. */
  hash(key: string): number {
    let hash = this.#words[seedWord]!
    for (let index = 0; index < key.length; index++)
      hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
    return Math.imul(hash ^ (hash >>> 15), 0x45d9f3b) | 1 // never 0, which marks a free place
  }

  #bucketOf(hash: number): number {
    return indexStart + ((hash >>> 1) % this.#buckets) * placesInBucket * placeWords
  }

  /** A worker that dies while it holds the lock leaves it closed: after a while it is simply taken. */
  #locked<Result>(act: () => Result): Result {
    for (let spins = 0; Atomics.compareExchange(this.#words, lockWord, 0, 1) !== 0; spins++)
      if (spins > spinsBeforeTaking) break
    try {
      return act()
    } finally {
      Atomics.store(this.#words, lockWord, 0)
    }
  }
}
