import { setTimeout as sleep } from 'node:timers/promises'
import type { LogExport } from '../../config/log-export-schema.ts'
import { LinesRefused, type LogSink } from '../../plugins/logging/log-queue.ts'
import type { ErrorLog } from '../error-log.ts'
import type { LogName } from './log-records.ts'
import type { Cursor, LogTail } from './log-tail.ts'

export interface ExportState {
  readonly target: string
  readonly log: LogName
  sent: number
  /** Lines that were given up: more than `queue_bytes` waited, or the collector refused them. */
  lost: number
  backlogBytes: number
  /** Why nothing can be sent now. */
  problem: string | undefined
}

export interface ExportParts {
  readonly state: ExportState
  readonly settings: LogExport
  readonly tail: LogTail
  readonly sink: LogSink
  readonly errorLog: ErrorLog
  /** Writes a line in the form of the target. */
  readonly write: (log: LogName, line: string) => string
  /** Told how far all is sent. */
  readonly onProgress: (cursor: Cursor) => void
}

const firstDelay = 250
const longestDelay = 15_000
const timeToEnd = 2_000
/** A collector that goes away may not have read what it was sent last: that is sent again, maybe twice. */
const doubtful = 1_000

/**
 * Sends one log to one collector. The files of the log are the queue: what waits there costs no memory, survives a
 * restart, and is bounded by `queue_bytes`, past which the oldest lines are given up and counted.
 */
export class LogExporter {
  readonly #parts: ExportParts
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  /** Where batches began that were sent lately. */
  #recent: { readonly at: number; readonly begin: Cursor }[] = []
  #failures = 0

  constructor(parts: ExportParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  get state(): ExportState {
    return this.#parts.state
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.race([this.#running, sleep(timeToEnd, undefined, { ref: false })])
    this.#parts.sink.close()
    await this.#parts.tail.close()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { settings } = this.#parts
    while (!signal.aborted) {
      let wait = settings.interval
      try {
        await this.#boundBacklog()
        while ((await this.#sendBatch()) && !signal.aborted) await this.#boundBacklog()
      } catch (error) {
        wait = await this.#onFailure(error as Error)
      }
      await sleep(wait, undefined, { signal }).catch(() => {})
    }
    await this.#sendBatch().catch(() => {}) // what was written since
  }

  /** Whether there was something to send. */
  async #sendBatch(): Promise<boolean> {
    const { tail, sink, state, settings, write, onProgress } = this.#parts
    const batch = await tail.read(settings.batch_lines)
    const begin = tail.cursor
    if (!batch) return false
    try {
      await sink.send(batch.lines.map((line) => write(state.log, line)))
      state.sent += batch.lines.length
    } catch (error) {
      if (!(error instanceof LinesRefused)) throw error
      this.#report(error.message)
      state.lost += error.lines
      state.sent += batch.lines.length - error.lines
    }
    await tail.moveTo(batch.end)
    const now = performance.now()
    this.#recent = [...this.#recent.filter(({ at }) => now - at < doubtful), { at: now, begin }]
    onProgress(batch.end)
    if (this.#failures > 0) this.#onRecovery()
    return true
  }

  async #onFailure(error: Error): Promise<number> {
    const { tail } = this.#parts
    this.#report(error.message)
    const now = performance.now()
    const [first] = this.#recent.filter(({ at }) => now - at < doubtful)
    this.#recent = []
    if (first && first.begin.inode === tail.cursor.inode) await tail.moveTo(first.begin)
    const delay = Math.min(firstDelay * 2 ** Math.min(this.#failures++, 10), longestDelay)
    return delay * (0.5 + Math.random() / 2)
  }

  /** Gives up the oldest lines where more wait than may. */
  async #boundBacklog(): Promise<void> {
    const { tail, state, settings, errorLog } = this.#parts
    let lost = 0
    for (;;) {
      state.backlogBytes = await tail.backlog()
      if (state.backlogBytes <= settings.queue_bytes) break
      const batch = await tail.read(settings.batch_lines)
      if (!batch) break
      lost += batch.lines.length
      await tail.moveTo(batch.end)
    }
    if (lost === 0) return
    state.lost += lost
    errorLog.write('error', 'log export lost lines: more waited than queue_bytes', {
      target: state.target,
      log: state.log,
      lines: lost,
    })
  }

  #report(reason: string): void {
    const { state, errorLog } = this.#parts
    if (state.problem === undefined)
      errorLog.write('error', 'log export fails; lines wait in the files', {
        target: state.target,
        log: state.log,
        reason,
      })
    state.problem = reason
  }

  #onRecovery(): void {
    const { state, errorLog } = this.#parts
    this.#failures = 0
    state.problem = undefined
    const { target, log, lost } = state
    errorLog.write('info', 'log export goes on', { target, log, lost })
  }
}
