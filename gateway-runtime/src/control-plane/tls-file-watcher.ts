import { basename, dirname } from 'node:path'
import { isPemText, readPem } from '../config/tls-files.ts'
import type { TlsMaterial } from '../worker-messages.ts'
import { FolderWatcher } from './folder-watcher.ts'

/** Calls `onChange` when a file with a certificate or key says something else than before. */
export class TlsFileWatcher {
  readonly #onChange: () => void
  /** What the files said when they were last looked at. */
  #seen = new Map<string, string | undefined>()
  /** Folder → names of files in it. */
  #names = new Map<string, Set<string>>()
  #watchers = new Map<string, FolderWatcher>()

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Watches the files that this was read from, in place of those before. */
  watch({ pem }: TlsMaterial): void {
    this.#seen = new Map([...pem].filter(([path]) => !isPemText(path)))
    this.#names = new Map()
    for (const path of this.#seen.keys()) {
      const names = this.#names.get(dirname(path)) ?? new Set()
      this.#names.set(dirname(path), names.add(basename(path)))
    }
    for (const folder of this.#names.keys()) if (!this.#watchers.has(folder)) this.#add(folder)
    for (const [folder, watcher] of this.#watchers) {
      if (this.#names.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    this.#check() // a file may have changed between its reading and now
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #add(folder: string): void {
    const matters = (name: string) => this.#names.get(folder)?.has(name) === true
    this.#watchers.set(folder, new FolderWatcher(folder, () => this.#check(), matters))
  }

  #check(): void {
    let changed = false
    for (const [path, before] of this.#seen) {
      const now = contentOf(path)
      this.#seen.set(path, now)
      changed ||= now !== before
    }
    if (changed) this.#onChange()
  }
}

/** A file that is gone has changed too: the configuration says so, and stays as it is. */
function contentOf(path: string): string | undefined {
  try {
    return readPem('/', path)
  } catch {
    return undefined
  }
}
