/** Words of a key before its windows; of a window: two slots, and until when requests are refused. */
export const keyHead = 10
export const slotSize = 10
export const windowSize = 2 * slotSize + 2

// Of a slot: three 64-bit floats, then words.
export const startFloat = 0
export const endFloat = 1
export const numberFloat = 2
export const leftWord = 6
export const lowWord = 7
export const claimWord = 8
export const freeWord = 9
export const deniedFloat = slotSize // after two slots, in floats

/** The leases of one key, while its bucket is locked. */
export class KeyLeases {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #entry: number

  constructor(words: Int32Array, floats: Float64Array, entry: number) {
    this.#words = words
    this.#floats = floats
    this.#entry = entry
  }

  /** The slot for the window of a number. */
  slot(window: number, number: number): Slot {
    return this.#slots(window)[number % 2]!
  }

  /** The last windows that there are slots for, the earlier first; only such as follow each other. */
  known(window: number): readonly Slot[] {
    const [first, second] = this.#slots(window)
      .filter(({ number }) => number > 0)
      .sort((a, b) => a.number - b.number)
    if (!first || !second) return first ? [first] : []
    return second.number === first.number + 1 ? [first, second] : [second]
  }

  /** Until when requests are refused without asking again. */
  deny(window: number, until: number): void {
    this.#floats[((this.#entry + keyHead + window * windowSize) >> 1) + deniedFloat] = until
  }

  #slots(window: number): [Slot, Slot] {
    const first = this.#entry + keyHead + window * windowSize
    return [new Slot(this.#words, this.#floats, first), new Slot(this.#words, this.#floats, first + slotSize)]
  }
}

/** The lease of one window. */
export class Slot {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #at: number

  constructor(words: Int32Array, floats: Float64Array, at: number) {
    this.#words = words
    this.#floats = floats
    this.#at = at
  }

  /** Number of the window: Redis time divided by the period. 0: the slot is empty. */
  get number(): number {
    return this.#floats[(this.#at >> 1) + numberFloat]!
  }

  get end(): number {
    return this.#floats[(this.#at >> 1) + endFloat]!
  }

  get start(): number {
    return this.#floats[(this.#at >> 1) + startFloat]!
  }

  /** What may still be used. */
  get left(): number {
    return this.#words[this.#at + leftWord]!
  }

  set left(value: number) {
    this.#words[this.#at + leftWord] = value
  }

  /** All that the node has had of this window: used and left. */
  get claim(): number {
    return this.#words[this.#at + claimWord]!
  }

  set claim(value: number) {
    this.#words[this.#at + claimWord] = value
  }

  /** What nobody had claimed when the store was last asked; -1: the store was not asked of this window. */
  get free(): number {
    return this.#words[this.#at + freeWord]!
  }

  set free(value: number) {
    this.#words[this.#at + freeWord] = value
  }

  /** The main thread is woken when so much is left; -1: never. */
  set low(value: number) {
    this.#words[this.#at + lowWord] = value
  }

  /** Begins with a window, with nothing in it, unless it is there already. */
  begin(number: number): void {
    if (this.number === number) return
    this.#floats[(this.#at >> 1) + numberFloat] = number
    this.left = 0
    this.claim = 0
    this.free = -1
    this.low = -1
  }

  /** The lease may be used from `start` until before `end`, milliseconds of the monotonic clock. */
  span(start: number, end: number): void {
    this.#floats[(this.#at >> 1) + startFloat] = start
    this.#floats[(this.#at >> 1) + endFloat] = end
  }
}
