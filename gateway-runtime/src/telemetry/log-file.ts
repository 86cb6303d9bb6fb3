import { closeSync, mkdirSync, openSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const flushBytes = 65_536
const flushInterval = 200
const usualPending = 131_072
const mostPending = 8_388_608
const newline = 0x0a

/**
 * Appends lines to a file, off the request path: lines are collected and written together, at least five times a
 * second. What a slow or full disk does not take in time is dropped and counted, never waited for. Several threads
 * may append to one file: each write holds whole lines, and O_APPEND keeps them apart. Lines become bytes at once:
 * one long string of them would be put together from thousands of pieces that have left the cache of the processor.
 */
export class LogFile {
  readonly #path: string
  #descriptor: number
  #lines: Buffer = Buffer.allocUnsafeSlow(usualPending)
  /** Bytes of `#lines` that are in use. */
  #length = 0
  /** Takes the place of the lines that are being written. */
  #spare: Buffer | undefined
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
    const length = this.#length + line.length
    if (length > mostPending) {
      this.#dropped++
      return
    }
    if (length > this.#lines.length) this.#grow(length)
    this.#lines.write(line, this.#length, 'latin1')
    this.#length = length
    if (length > flushBytes) this.#flush()
  }

  /** Goes on in a new file of the same name: the old one was moved away. */
  reopen(): void {
    const descriptor = openSync(this.#path, 'a', 0o640)
    this.flushSync()
    closeSync(this.#descriptor)
    this.#descriptor = descriptor
  }

  flushSync(): void {
    if (this.#length === 0 || this.#isWriting) return
    const length = this.#length
    this.#length = 0
    try {
      writeSync(this.#descriptor, this.#lines, 0, length)
    } catch {
      this.#countDropped(this.#lines, length)
    }
  }

  /** Writes what is left and closes. */
  close(): void {
    clearInterval(this.#timer)
    this.#isWriting = false
    this.flushSync()
    closeSync(this.#descriptor)
  }

  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(length, 2 * this.#lines.length), mostPending))
    this.#lines.copy(grown, 0, 0, this.#length)
    this.#lines = grown
  }

  #flush(): void {
    if (this.#length === 0 || this.#isWriting) return
    const lines = this.#lines
    const length = this.#length
    this.#lines = this.#spare ?? Buffer.allocUnsafeSlow(usualPending)
    this.#spare = undefined
    this.#length = 0
    this.#isWriting = true
    write(this.#descriptor, lines, 0, length, null, (error) => {
      this.#isWriting = false
      if (lines.length === usualPending) this.#spare = lines
      if (error) this.#countDropped(lines, length)
    })
  }

  #countDropped(lines: Buffer, length: number): void {
    for (let end = lines.indexOf(newline); end >= 0 && end < length; end = lines.indexOf(newline, end + 1))
      this.#dropped++
  }
}
