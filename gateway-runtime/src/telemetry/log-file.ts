import { closeSync, mkdirSync, openSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const flushBytes = 65_536
const flushInterval = 200
const mostPending = 8_388_608

/**
 * Appends lines to a file, off the request path: lines are collected and written together, at least five times a
 * second. What a slow or full disk does not take in time is dropped and counted, never waited for. Several threads
 * may append to one file: each write holds whole lines, and O_APPEND keeps them apart.
 */
export class LogFile {
  readonly #path: string
  #descriptor: number
  #lines = ''
  #isWriting = false
  #dropped = 0
  readonly #timer: NodeJS.Timeout

  /** Throws where the file cannot be opened. */
  constructor(path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    this.#descriptor = openSync(path, 'a', 0o640)
    this.#timer = setInterval(() => this.#flush(), flushInterval)
    this.#timer.unref()
  }

  /** Lines lost so far. */
  get dropped(): number {
    return this.#dropped
  }

  /** Takes a line in ASCII that ends with a newline. */
  append(line: string): void {
    if (this.#lines.length + line.length > mostPending) {
      this.#dropped++
      return
    }
    this.#lines += line
    if (this.#lines.length > flushBytes) this.#flush()
  }

  /** Goes on in a new file of the same name: the old one was moved away. */
  reopen(): void {
    const descriptor = openSync(this.#path, 'a', 0o640)
    this.flushSync()
    closeSync(this.#descriptor)
    this.#descriptor = descriptor
  }

  flushSync(): void {
    if (this.#lines === '' || this.#isWriting) return
    const lines = this.#lines
    this.#lines = ''
    try {
      writeSync(this.#descriptor, lines, null, 'latin1')
    } catch {
      this.#countDropped(lines)
    }
  }

  /** Writes what is left and closes. */
  close(): void {
    clearInterval(this.#timer)
    this.#isWriting = false
    this.flushSync()
    closeSync(this.#descriptor)
  }

  #flush(): void {
    if (this.#lines === '' || this.#isWriting) return
    const lines = this.#lines
    this.#lines = ''
    this.#isWriting = true
    write(this.#descriptor, lines, null, 'latin1', (error) => {
      this.#isWriting = false
      if (error) this.#countDropped(lines)
    })
  }

  #countDropped(lines: string): void {
    this.#dropped += lines.split('\n').length - 1
  }
}
