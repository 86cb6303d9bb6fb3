import { join } from 'node:path'
import { escapeCharacter } from '../data-plane/problem.ts'
import { LogFile } from './log-file.ts'

export type Level = 'info' | 'warn' | 'error'
export type Fields = Readonly<Record<string, string | number | undefined>>

const linesPerSecond = 20

/**
 * error.log: an event a line, for people who search it. The event's name stands in plain words, what belongs to it
 * behind it as name=value:
 *
 *     2026-11-23T08:26:41.123Z error upstream timed out reason="read-timeout after 500 ms" route=orders attempt=4/4
 *
 * At most 20 lines a second of one event are written; the next one says how many were left out.
 */
export class ErrorLog {
  readonly #file: LogFile
  readonly #recent = new Map<string, { second: number; lines: number; leftOut: number }>()

  /** `directory` is made where it is missing. */
  constructor(directory: string) {
    this.#file = new LogFile(join(directory, 'error.log'))
  }

  get dropped(): number {
    return this.#file.dropped
  }

  /** `event`: a fixed phrase, never built from what came over the network; `fields` may be. */
  write(level: Level, event: string, fields: Fields = {}): void {
    const leftOut = this.#admit(event)
    if (leftOut === undefined) return
    let line = `${new Date().toISOString()} ${level} ${event}`
    for (const [name, value] of Object.entries(fields))
      if (value !== undefined) line += ` ${name}=${fieldText(value)}`
    if (leftOut > 0) line += ` left_out=${leftOut}`
    this.#file.append(`${line}\n`)
  }

  reopen(): void {
    this.#file.reopen()
  }

  close(): void {
    this.#file.close()
  }

  /** How many lines of the event were left out before this one; undefined: leave this one out too. */
  #admit(event: string): number | undefined {
    const second = Math.floor(performance.now() / 1_000)
    const recent = this.#recent.get(event)
    if (!recent || recent.second !== second) {
      this.#recent.set(event, { second, lines: 1, leftOut: 0 })
      return recent?.leftOut ?? 0
    }
    if (recent.lines < linesPerSecond) {
      recent.lines++
      return 0
    }
    recent.leftOut++
    return undefined
  }
}

/** A value that cannot break out of its line or its field. */
function fieldText(value: string | number): string {
  const text = String(value)
  if (/^[\w.:/@+%[\]-]+$/.test(text)) return text
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, escapeCharacter)
}
