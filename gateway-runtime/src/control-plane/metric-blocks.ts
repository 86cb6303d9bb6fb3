const roomToGrow = 2

/**
 * Which block of the workers' counters belongs to which series. A series keeps its block over reloads, also while it is
 * away; when all are taken, those that have been away the longest give theirs up, so that names which come and go take
 * no more and more memory.
 */
export class MetricBlocks {
  #blocks: ReadonlyMap<string, number> = new Map()
  #named: ReadonlySet<string> = new Set()
  #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get all(): ReadonlyMap<string, number> {
    return this.#blocks
  }

  /** How many there is room for. */
  get capacity(): number {
    return this.#capacity
  }

  /**
   * Gives each series a block. Those that were named by the last call keep theirs as well: requests may be under way, and
   * it may be in force again.
   * @param clear - has a block count from zero: it was that of another series
   */
  name(series: ReadonlySet<string>, clear: (block: number) => void): void {
    const blocks = new Map(this.#blocks)
    const away = [...blocks].filter(([key]) => !series.has(key) && !this.#named.has(key))
    for (const key of series) {
      if (blocks.has(key)) continue
      const oldest = blocks.size < this.#capacity ? undefined : away.shift()
      if (oldest) {
        blocks.delete(oldest[0])
        clear(oldest[1])
      }
      blocks.set(key, oldest?.[1] ?? blocks.size)
    }
    if (blocks.size > this.#capacity) this.#capacity = blocks.size * roomToGrow
    this.#blocks = blocks
    this.#named = series
  }
}
