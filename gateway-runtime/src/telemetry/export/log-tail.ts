import { statSync } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** How far a log was read: in the file with this inode, so that a file which was moved is found again. */
export interface Cursor {
  readonly inode: number
  readonly offset: number
}

/** Whole lines, without their ends, and where the next one begins. */
export interface Batch {
  readonly lines: readonly string[]
  readonly end: Cursor
}

const chunk = 262_144
/** A log writes none that is longer; whatever is, is cut. */
const longestLine = 131_072
const newline = 0x0a

/**
 * Reads a log from where it was left, over files that were moved away (`access.log.1`, `access.log-20260101`) to the
 * one that is written now.
 */
export class LogTail {
  readonly #path: string
  #file: FileHandle | undefined
  #cursor: Cursor

  /** `cursor`: undefined to begin with what is written from now on. */
  constructor(path: string, cursor: Cursor | undefined) {
    this.#path = path
    this.#cursor = cursor ?? endOf(path)
  }

  get cursor(): Cursor {
    return this.#cursor
  }

  /** The next lines, so many at most; none where there are no more for now. */
  async read(mostLines: number): Promise<Batch | undefined> {
    const file = await this.#open()
    if (!file) return undefined
    const { offset, inode } = this.#cursor
    const buffer = Buffer.allocUnsafe(chunk)
    const { bytesRead } = await file.read(buffer, 0, chunk, offset)
    const { lines, length } = wholeLines(buffer.subarray(0, bytesRead), mostLines)
    if (lines.length > 0) return { lines, end: { inode, offset: offset + length } }
    return (await this.#goOn(file)) ? this.read(mostLines) : undefined
  }

  /** Reads on from there: behind what was taken, or again what was not. A file that is gone is not come back to. */
  async moveTo(cursor: Cursor): Promise<void> {
    if (this.#cursor.inode !== cursor.inode) await this.#close()
    this.#cursor = cursor
  }

  /** Bytes that were not read yet, in all files. */
  async backlog(): Promise<number> {
    const file = await this.#open()
    if (!file) return 0
    const { size } = await file.stat()
    const later = await this.#laterFiles(file)
    return later.reduce((sum, other) => sum + other.size, Math.max(size - this.#cursor.offset, 0))
  }

  async close(): Promise<void> {
    await this.#close()
  }

  async #close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#file) return this.#file
    const files = await this.#files()
    const known = files.find(({ inode }) => inode === this.#cursor.inode)
    // What was read last is gone: the oldest of what is left is next.
    const next = known ?? files[0]
    if (!next) return undefined
    if (!known) this.#cursor = { inode: next.inode, offset: 0 }
    this.#file = await open(next.path, 'r')
    return this.#file
  }

  /** To the next file, where this one is written no more; to the begin of this one, where it was emptied. */
  async #goOn(file: FileHandle): Promise<boolean> {
    const { size, ino } = await file.stat()
    if (size < this.#cursor.offset) {
      this.#cursor = { inode: ino, offset: 0 }
      return size > 0
    }
    const [next] = await this.#laterFiles(file)
    if (!next) return false
    await this.#close()
    this.#cursor = { inode: next.inode, offset: 0 }
    return true
  }

  async #laterFiles(file: FileHandle) {
    const { ino, mtimeMs } = await file.stat()
    const files = await this.#files()
    const at = files.findIndex(({ inode }) => inode === ino)
    return at < 0 ? files.filter((other) => other.changedAt >= mtimeMs) : files.slice(at + 1)
  }

  /** The oldest first; that which is written now is the last one. */
  async #files() {
    const name = basename(this.#path)
    const names = await readdir(dirname(this.#path)).catch(() => [])
    const own = names.filter((other) => other === name || isMoved(other, name))
    const files = await Promise.all(
      own.map(async (other) => {
        const path = join(dirname(this.#path), other)
        const facts = await stat(path).catch(() => undefined)
        return facts ? [{ path, inode: facts.ino, size: facts.size, changedAt: facts.mtimeMs }] : []
      }),
    )
    const isCurrent = (path: string) => Number(path === this.#path)
    return files
      .flat()
      .sort(
        (a, b) =>
          isCurrent(a.path) - isCurrent(b.path) ||
          a.changedAt - b.changedAt ||
          b.path.localeCompare(a.path, 'en', { numeric: true }),
      )
  }
}

/** All of a log that does not exist yet will be new. */
function endOf(path: string): Cursor {
  const facts = statSync(path, { throwIfNoEntry: false })
  return { inode: facts?.ino ?? 0, offset: facts?.size ?? 0 }
}

const isMoved = (other: string, name: string) =>
  other.startsWith(name) && /^[.-]\d+$/.test(other.slice(name.length))

function wholeLines(bytes: Buffer, most: number): { readonly lines: string[]; readonly length: number } {
  const lines: string[] = []
  let start = 0
  while (lines.length < most) {
    const end = bytes.indexOf(newline, start)
    if (end < 0) break
    if (end > start) lines.push(bytes.toString('utf8', start, Math.min(end, start + longestLine)))
    start = end + 1
  }
  if (lines.length > 0 || bytes.length < chunk) return { lines, length: start }
  return { lines: [bytes.toString('utf8', 0, longestLine)], length: bytes.length }
}
