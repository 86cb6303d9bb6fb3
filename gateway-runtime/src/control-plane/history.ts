import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { EntityChange, FolderContents } from '../config/index.ts'
import type { Author } from './audit-log.ts'

/** A configuration that was in force. */
export interface HistoryEntry {
  /** Counts up from 1. */
  readonly id: number
  /** ISO 8601. */
  readonly time: string
  readonly author: Author
  readonly request?: string | undefined
  readonly snapshot: string
  /** What it changed; no secrets. */
  readonly changes: readonly EntityChange[]
}

interface StoredEntry extends HistoryEntry {
  readonly files: Readonly<Record<string, string>>
}

const mostEntries = 50

/** The last 50 configurations, each in a file of mode 0600 in the state folder, as `history/17.json`. */
export class History {
  readonly #folder: string

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'history')
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
  }

  /** The newest first. */
  list(): HistoryEntry[] {
    return this.#ids().map((id) => {
      const { files, ...entry } = this.#read(id)
      return entry
    })
  }

  /** The texts of an entry; undefined where there is none. */
  contents(id: number): FolderContents | undefined {
    return this.#ids().includes(id) ? new Map(Object.entries(this.#read(id).files)) : undefined
  }

  /** All texts that are kept. */
  texts(): string[] {
    return this.#ids().flatMap((id) => Object.values(this.#read(id).files))
  }

  /** Whether the newest entry has these texts. */
  endsWith(contents: FolderContents): boolean {
    const [last] = this.#ids()
    return last !== undefined && isDeepStrictEqual(this.#read(last).files, Object.fromEntries(contents))
  }

  /** Writes an entry at once, and deletes the oldest past 50. @throws Error as of the file system */
  add(entry: Omit<HistoryEntry, 'id' | 'time'>, contents: FolderContents): void {
    const ids = this.#ids()
    const id = (ids[0] ?? 0) + 1
    const stored = { id, time: new Date().toISOString(), ...entry, files: Object.fromEntries(contents) }
    const path = this.#path(id)
    writeFileSync(`${path}.tmp`, JSON.stringify(stored), { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
    for (const old of ids.slice(mostEntries - 1)) rmSync(this.#path(old), { force: true })
  }

  #ids(): number[] {
    if (!existsSync(this.#folder)) return []
    const names = readdirSync(this.#folder).flatMap((name) => /^(\d{1,15})\.json$/.exec(name)?.[1] ?? [])
    return names.map(Number).sort((a, b) => b - a)
  }

  #read(id: number): StoredEntry {
    return JSON.parse(readFileSync(this.#path(id), 'utf8'))
  }

  #path(id: number): string {
    return join(this.#folder, `${id}.json`)
  }
}
