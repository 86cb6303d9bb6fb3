/** Bytes at the end of the memory that flights take. */
export const flightBytes = 16_384

const places = flightBytes / 8 // each the hash of a key, and the second in which it was begun
const mostWait = 5_000

/**
 * What the service is being asked for now, by any worker of the node, so that others that want the same can wait for
 * it: places in memory that all workers share. Where two keys want one place, the second goes unannounced.
 */
export class Flights {
  readonly #words: Int32Array
  readonly #hash: (key: string) => number

  /**
   * @param memory - zeroed when the first worker sees it
   * @param hash - never 0, and not to be foreseen from outside
   */
  constructor(memory: SharedArrayBuffer, hash: (key: string) => number) {
    this.#words = new Int32Array(memory, memory.byteLength - flightBytes, places * 2)
    this.#hash = hash
  }

  /** Begins one. Returns what ends it, or undefined where the same is on its way already. */
  begin(key: string): (() => void) | undefined {
    const hash = this.#hash(key)
    const place = placeOf(hash)
    const now = Math.floor(Date.now() / 1_000)
    const before = Atomics.compareExchange(this.#words, place, 0, hash)
    if (before !== 0) {
      // A worker that died does not end what it began.
      const isOver = now - Atomics.load(this.#words, place + 1) > mostWait / 1_000
      if (!isOver) return before === hash ? undefined : () => {}
      if (Atomics.compareExchange(this.#words, place, before, hash) !== before) return () => {}
    }
    Atomics.store(this.#words, place + 1, now)
    return this.#endOf(place, hash)
  }

  /** Resolves when it has ended, or has taken too long to wait for. */
  async end(key: string): Promise<void> {
    const hash = this.#hash(key)
    await Atomics.waitAsync(this.#words, placeOf(hash), hash, mostWait).value
  }

  #endOf(place: number, hash: number): () => void {
    let hasEnded = false
    const end = () => {
      if (hasEnded) return
      hasEnded = true
      clearTimeout(timer)
      Atomics.compareExchange(this.#words, place, hash, 0)
      Atomics.notify(this.#words, place)
    }
    const timer = setTimeout(end, mostWait)
    return end
  }
}

const placeOf = (hash: number): number => ((hash >>> 1) % places) * 2
