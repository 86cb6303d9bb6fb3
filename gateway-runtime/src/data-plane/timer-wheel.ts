import { now } from '../clock.ts'
/** Something that must happen by a time, which moves with every request. */
export interface Deadline {
  /** Milliseconds of `performance.now()`; Infinity for none. */
  deadline: number
  /** Kept by the wheel: when it looks next; Infinity for never. */
  wakeAt: number
  /** Called once, at or up to one tick after the deadline. */
  onDeadline(): void
}

const tick = 20
const slots = 1_024

/**
 * Deadlines of many connections at the cost of a field write each. A later deadline is only noted; the wheel finds
 * it when it looks at the time of the earlier one. One timer of Node.js serves all of a thread.
 */
export class TimerWheel {
  readonly #slots: Deadline[][] = Array.from({ length: slots }, () => [])
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  #cursor = 0
  #time = 0

  /** `time`: milliseconds, monotonic. */
  constructor(time: () => number = now) {
    this.#now = time
  }

  set(entry: Deadline, milliseconds: number): void {
    const deadline = this.#now() + milliseconds
    entry.deadline = deadline
    if (entry.wakeAt > deadline) this.#insert(entry)
  }

  clear(entry: Deadline): void {
    entry.deadline = Number.POSITIVE_INFINITY
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #insert(entry: Deadline): void {
    if (!this.#timer) {
      this.#time = this.#now()
      this.#timer = setInterval(() => this.#advance(), tick)
      this.#timer.unref()
    }
    const ticks = Math.min(Math.ceil((entry.deadline - this.#time) / tick), slots - 1)
    const ahead = Math.max(ticks, 1)
    entry.wakeAt = this.#time + ahead * tick
    this.#slots[(this.#cursor + ahead) % slots]!.push(entry)
  }

  #advance(): void {
    const time = this.#now()
    while (this.#time + tick <= time) {
      this.#time += tick
      this.#cursor = (this.#cursor + 1) % slots
      const due = this.#slots[this.#cursor]!
      if (due.length === 0) continue
      this.#slots[this.#cursor] = []
      for (const entry of due) this.#wake(entry, time)
    }
  }

  #wake(entry: Deadline, now: number): void {
    // An earlier look was arranged after this one: that is the one that counts.
    if (entry.wakeAt > this.#time + tick / 2 || entry.wakeAt < this.#time - tick / 2) return
    entry.wakeAt = Number.POSITIVE_INFINITY
    if (entry.deadline === Number.POSITIVE_INFINITY) return
    if (entry.deadline > now) return this.#insert(entry)
    entry.deadline = Number.POSITIVE_INFINITY
    entry.onDeadline()
  }
}
