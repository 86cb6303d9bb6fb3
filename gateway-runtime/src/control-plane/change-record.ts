import { differences, type EntityChange, maskedChanges } from '../config/index.ts'
import type { ErrorLog } from '../telemetry/error-log.ts'
import { EntityIndex } from './admin-api/entity-index.ts'
import { sweepKeyFiles } from './admin-api/private-key-files.ts'
import { AuditLog } from './audit-log.ts'
import type { Cause, Change, Current } from './configuration-store.ts'
import { EntityTimes } from './entity-times.ts'
import { History } from './history.ts'

export interface ChangeRecordOptions {
  /** Of the configuration. */
  readonly folder: string
  /** The node's folder for what it keeps for itself. */
  readonly state: string
  readonly logDirectory: string
  readonly errorLog: ErrorLog
}

/** Writes down what is changed, by whom and when: the audit log, the history, and the times of entities. */
export class ChangeRecord {
  readonly times: EntityTimes
  readonly history: History
  readonly #auditLog: AuditLog
  readonly #folder: string
  readonly #errorLog: ErrorLog

  /** @throws Error as of the file system */
  constructor({ folder, state, logDirectory, errorLog }: ChangeRecordOptions) {
    this.#auditLog = new AuditLog(logDirectory)
    this.times = new EntityTimes(state)
    this.history = new History(state)
    this.#folder = folder
    this.#errorLog = errorLog
  }

  /** What a node starts with is in the history, too: its files may have been changed while it was down. */
  begin(current: Current): void {
    if (!this.history.endsWith(current.contents)) this.#remember(current, { author: { name: 'files' } }, [])
  }

  add({ before, after, cause }: Change): void {
    const changes = differences(before.loaded.shown, after.loaded.shown)
    this.times.note(changes, EntityIndex.of(before.loaded), EntityIndex.of(after.loaded))
    this.#auditLog.write({ ...cause, changes, snapshot: after.snapshot.version })
    this.#remember(after, cause, changes)
  }

  reopen(): void {
    this.#auditLog.reopen()
  }

  close(): void {
    this.#auditLog.close()
    this.times.close()
  }

  /** Into the history; a full disk costs the entry and not the change. */
  #remember({ contents, snapshot }: Current, cause: Cause, changes: readonly EntityChange[]): void {
    try {
      const entry = { ...cause, changes: maskedChanges(changes), snapshot: snapshot.version }
      this.history.add(entry, contents)
      if (changes.some(({ entity }) => entity.startsWith('certificates/')))
        sweepKeyFiles(this.#folder, this.history.texts())
    } catch (error) {
      this.#errorLog.write('error', 'configuration not kept in the history', { reason: String(error) })
    }
  }
}
