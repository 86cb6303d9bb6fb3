import type { PluginContext } from '../contract.ts'

const mostWaiting = 10_000

/** Collects the lines of a worker, so that a request costs no message to the main thread. */
export class LogBatcher {
  readonly #gateway: PluginContext
  readonly #interval: number
  readonly #batch: number
  #lines: string[] = []
  #timer: NodeJS.Timeout | undefined
  #isSending = false

  /** Sends when there are `batch` lines, or the first has waited `interval` milliseconds. */
  constructor(gateway: PluginContext, batch: number, interval: number) {
    this.#gateway = gateway
    this.#batch = batch
    this.#interval = interval
  }

  add(line: string): void {
    if (this.#lines.length >= mostWaiting) return this.#gateway.count('dropped')
    this.#lines.push(line)
    if (this.#lines.length >= this.#batch) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), this.#interval)
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isSending || this.#lines.length === 0) return
    this.#isSending = true
    const lines = this.#lines
    this.#lines = []
    this.#gateway
      .call(lines)
      .then(
        (dropped) => {
          this.#gateway.count('sent', lines.length)
          this.#gateway.count('dropped', Number(dropped))
        },
        () => this.#gateway.count('dropped', lines.length),
      )
      .finally(() => {
        this.#isSending = false
        if (this.#lines.length > 0) this.#timer ??= setTimeout(() => this.#send(), this.#interval)
      })
  }
}
