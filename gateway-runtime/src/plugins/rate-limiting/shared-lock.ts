const spinsBeforeSleep = 2_000
const sleepsBeforeTaking = 20

/** Locks in shared memory, a word each: 0 is open. Held for less than a microsecond. */
export class SharedLock {
  readonly #words: Int32Array

  constructor(words: Int32Array) {
    this.#words = words
  }

  /** A thread that dies while it holds a lock leaves it closed: after a while it is simply taken. */
  take(word: number): void {
    let sleeps = 0
    for (let spins = 0; Atomics.compareExchange(this.#words, word, 0, 1) !== 0; spins++) {
      if (spins < spinsBeforeSleep) continue
      if (++sleeps > sleepsBeforeTaking) return
      Atomics.wait(this.#words, word, 1, 1)
    }
  }

  release(word: number): void {
    Atomics.store(this.#words, word, 0)
  }
}
