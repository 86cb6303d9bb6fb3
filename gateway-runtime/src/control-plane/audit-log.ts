import { join } from 'node:path'
import { type EntityChange, maskedChanges } from '../config/index.ts'
import { escapeCharacter } from '../data-plane/problem.ts'
import { LogFile } from '../telemetry/log-file.ts'

/** Who changes a configuration. */
export interface Author {
  /** Name of a token, subject of a certificate, or `files` for what was changed on the disk. */
  readonly name: string
  readonly role?: string
  /** How it is known who it is. */
  readonly via?: 'token' | 'certificate'
  readonly peer?: string
}

/** A change that is in force. */
export interface AuditedChange {
  readonly author: Author
  /** What was asked for: `PUT /routes/orders`. */
  readonly request?: string | undefined
  readonly changes: readonly EntityChange[]
  /** Version of the snapshot that it made. */
  readonly snapshot: string
}

/** audit.log: each change of the configuration as a line of JSON, with who made it, from where, and what; no secrets. */
export class AuditLog {
  readonly #file: LogFile

  /** `directory` is made where it is missing. */
  constructor(directory: string) {
    this.#file = new LogFile(join(directory, 'audit.log'))
  }

  write({ author, request, changes, snapshot }: AuditedChange): void {
    const { name, ...known } = author
    const line = {
      time: new Date().toISOString(),
      author: name,
      ...known,
      request,
      changes: maskedChanges(changes),
      snapshot,
    }
    this.#file.append(`${JSON.stringify(line).replace(/[^\x20-\x7e]/g, escapeCharacter)}\n`)
  }

  reopen(): void {
    this.#file.reopen()
  }

  close(): void {
    this.#file.close()
  }
}
