/** Lets so many tasks run at once; the others wait in their order. */
export class Slots {
  readonly #waiting: (() => void)[] = []
  #limit: number
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Tasks that run already go on. */
  set limit(limit: number) {
    this.#limit = limit
    this.#admit()
  }

  /** Runs a task when it is its turn, and gives what it gives. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      this.#admit()
    })
    try {
      return await task()
    } finally {
      this.#running--
      this.#admit()
    }
  }

  #admit(): void {
    while (this.#running < this.#limit) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#running++
      next()
    }
  }
}
