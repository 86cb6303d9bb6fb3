import { setTimeout as sleep } from 'node:timers/promises'

/** Where lines go. */
export interface LogSink {
  /** Rejected where it is not known that all have arrived: they are sent again, but after `LinesRefused`. */
  send(lines: readonly string[]): Promise<void>
  close(): void
}

/** The sink does not take these lines, and would not if they were sent again. */
export class LinesRefused extends Error {
  override readonly name = 'LinesRefused'
  /** How many of the batch. */
  readonly lines: number

  constructor(lines: number, reason: string) {
    super(reason)
    this.lines = lines
  }
}

export interface QueueSettings {
  /** Bytes that wait at most; past them the oldest lines go. */
  readonly queue_bytes: number
  readonly batch_lines: number
}

const firstDelay = 250
const longestDelay = 30_000
const timeToEnd = 2_000

/** Lines on their way to a sink, in order: sent again for as long as it fails, within bounds. */
export class LogQueue {
  readonly #sink: LogSink
  readonly #settings: QueueSettings
  readonly #onProblem: (reason: string) => void
  #lines: string[] = []
  #bytes = 0
  #dropped = 0
  #failures = 0
  #sending: Promise<void> | undefined
  readonly #stopping = new AbortController()

  /** `onProblem` is called once for each time that the sink begins to fail. */
  constructor(sink: LogSink, settings: QueueSettings, onProblem: (reason: string) => void) {
    this.#sink = sink
    this.#settings = settings
    this.#onProblem = onProblem
  }

  /** Returns how many lines were lost since the last call. */
  add(lines: readonly string[]): number {
    for (const line of lines) {
      this.#lines.push(line)
      this.#bytes += line.length
    }
    this.#dropOldest()
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Gives what waits a moment to arrive. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.race([this.#sending, sleep(timeToEnd, undefined, { ref: false })])
    this.#sink.close()
  }

  #dropOldest(): void {
    while (this.#bytes > this.#settings.queue_bytes) {
      this.#bytes -= this.#lines.shift()!.length
      this.#dropped++
    }
  }

  async #sendAll(): Promise<void> {
    while (this.#lines.length > 0) {
      const batch = this.#lines.splice(0, this.#settings.batch_lines)
      for (const line of batch) this.#bytes -= line.length
      try {
        await this.#sink.send(batch)
        this.#failures = 0
      } catch (error) {
        if (!(await this.#retryLater(batch, error as Error))) return
      }
    }
  }

  /** Returns whether to go on. */
  async #retryLater(batch: readonly string[], error: Error): Promise<boolean> {
    if (this.#failures++ === 0) this.#onProblem(error.message)
    if (error instanceof LinesRefused) {
      this.#dropped += error.lines
      return true
    }
    this.#lines.unshift(...batch)
    for (const line of batch) this.#bytes += line.length
    this.#dropOldest()
    if (this.#stopping.signal.aborted) return false
    const delay = Math.min(firstDelay * 2 ** (this.#failures - 1), longestDelay) * (0.5 + Math.random() / 2)
    const { signal } = this.#stopping
    return sleep(delay, true, { signal }).catch(() => true)
  }
}
