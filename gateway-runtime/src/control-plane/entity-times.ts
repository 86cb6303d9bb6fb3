import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Collection, EntityChange } from '../config/index.ts'
import type { EntityIndex } from './admin-api/entity-index.ts'

/** Seconds since 1970. */
export interface Times {
  readonly created_at: number
  readonly updated_at: number
}

const writeDelay = 1_000

/**
 * When entities were made and last changed. The files of the configuration do not say it, so it is kept in the state
 * folder; what was there before it was first looked is as old as that look.
 */
export class EntityTimes {
  readonly #path: string
  readonly #times = new Map<string, Times>()
  readonly #start = now()
  #writing: NodeJS.Timeout | undefined

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'entity-times.json')
    for (const [id, times] of Object.entries(readTimes(this.#path))) this.#times.set(id, times)
  }

  of(id: string): Times {
    return this.#times.get(id) ?? { created_at: this.#start, updated_at: this.#start }
  }

  /** Takes note of changes; `before` and `after`: the configurations that they lie between. */
  note(changes: readonly EntityChange[], before: EntityIndex, after: EntityIndex): void {
    const time = now()
    for (const { entity, change } of changes) {
      const [, collection, key] = /^([a-z]+)\/(.*)$/s.exec(entity) ?? []
      if (collection === undefined || key === undefined) continue
      const index = change === 'delete' ? before : after
      const id = index.find(collection as Collection, key)?.id
      if (id === undefined) continue
      if (change === 'delete') this.#times.delete(id)
      else if (change === 'add') this.#times.set(id, { created_at: time, updated_at: time })
      else this.#times.set(id, { ...this.of(id), updated_at: time })
    }
    this.#writing ??= setTimeout(() => this.#write(), writeDelay).unref()
  }

  close(): void {
    if (this.#writing) this.#write()
  }

  /** Nothing depends on them: what a full disk loses is told by no one. */
  #write(): void {
    clearTimeout(this.#writing)
    this.#writing = undefined
    try {
      writeFileSync(`${this.#path}.tmp`, JSON.stringify(Object.fromEntries(this.#times)), { mode: 0o600 })
      renameSync(`${this.#path}.tmp`, this.#path)
    } catch {
      // as it was
    }
  }
}

const now = () => Math.floor(Date.now() / 1_000)

function readTimes(path: string): Readonly<Record<string, Times>> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
}
