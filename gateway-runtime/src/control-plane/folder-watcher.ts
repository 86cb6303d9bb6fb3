import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

const settleTime = 50
const mostSettleTime = 1_000
const retryTime = 1_000

/**
 * Calls `onChange` when files of a folder that `matters` picks may have changed: when nothing has happened for 50 ms, as a
 * file may be written in several steps, or for a second something all the time. Goes on when the folder, or a symbolic link of its name, is replaced. Where something cannot be watched (it is gone, the
 * system has no watches left), it calls every second in place of that.
 */
export class FolderWatcher {
  readonly #folder: string
  readonly #onChange: () => void
  readonly #matters: (name: string) => boolean
  #watchers: FSWatcher[] = []
  #settling: NodeJS.Timeout | undefined
  /** When it began to wait for a moment without events. */
  #settlingSince = 0
  #retrying: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(folder: string, onChange: () => void, matters: (name: string) => boolean) {
    this.#folder = resolve(folder)
    this.#onChange = onChange
    this.#matters = matters
    this.#watch()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#settling)
    clearTimeout(this.#retrying)
    this.#closeWatchers()
  }

  #watch(): void {
    this.#closeWatchers()
    clearTimeout(this.#retrying)
    try {
      // The folder above tells when another folder or link takes the name.
      for (const path of [this.#folder, dirname(this.#folder)]) this.#add(path)
    } catch {
      this.#retry()
    }
  }

  #add(path: string): void {
    const watcher = watch(path, { persistent: false })
    this.#watchers.push(watcher)
    watcher.on('error', () => this.#retry())
    watcher.on('change', (event, name) => {
      const isReplaced = event === 'rename' && name === basename(this.#folder)
      if (isReplaced) this.#watch()
      if (isReplaced || (path === this.#folder && this.#mayMatter(name))) this.#settle()
    })
  }

  /** So does what stands for many files at once: a link as Kubernetes swaps it (`..data`), or no name at all. */
  #mayMatter(name: string | Buffer | null): boolean {
    return name === null || String(name).startsWith('..') || this.#matters(String(name))
  }

  #closeWatchers(): void {
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = []
  }

  #retry(): void {
    if (this.#isClosed) return
    clearTimeout(this.#retrying)
    this.#retrying = setTimeout(() => {
      this.#watch()
      this.#settle()
    }, retryTime).unref()
  }

  #settle(): void {
    const now = performance.now()
    if (!this.#settling) this.#settlingSince = now
    else if (now - this.#settlingSince > mostSettleTime) return
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => {
      this.#settling = undefined
      this.#onChange()
    }, settleTime).unref()
  }
}
