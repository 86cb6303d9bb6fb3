import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import { OperationalError } from '../operational-error.ts'

/** The entities of all nodes as one text, and which of its versions that is. */
export interface StoredDocument {
  readonly revision: number | string
  readonly text: string
}

/** What a store that holds nothing yet says. */
export const emptyDocument =
  'services: []\nroutes: []\nupstreams: []\nconsumers: []\nplugins: []\ncertificates: []\n'

/**
 * The document that was in force last, in a file of mode 0600: a node starts with it while its store is away. Also
 * remembers whether the store answers, and tells of it once.
 */
export class DocumentCopy<Document extends StoredDocument> {
  readonly #path: string
  readonly #store: string
  readonly #errorLog: ErrorLog
  #isReachable = true

  /** `store`: what people call it. */
  constructor(path: string, store: string, errorLog: ErrorLog) {
    this.#path = path
    this.#store = store
    this.#errorLog = errorLog
  }

  /** Whether the store answered when it was last asked. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** @throws OperationalError where there is none; `cause`: why the store could not be read */
  read(cause: Error): Document {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch {
      const reason = 'and no copy of its configuration was kept by an earlier start'
      throw new OperationalError(`${this.#store} cannot be reached (${cause.message}), ${reason}`, { cause })
    }
  }

  write(document: Document): void {
    try {
      writeFileSync(`${this.#path}.tmp`, JSON.stringify(document), { mode: 0o600 })
      renameSync(`${this.#path}.tmp`, this.#path)
    } catch (error) {
      this.#errorLog.write('error', 'copy of the configuration not written', { reason: String(error) })
    }
  }

  lost(error: Error): void {
    if (this.#isReachable) {
      const event = `${this.#store} cannot be reached; the configuration in force stays`
      this.#errorLog.write('error', event, { reason: error.message })
    }
    this.#isReachable = false
  }

  found(): void {
    if (!this.#isReachable) this.#errorLog.write('info', `${this.#store} answers again`)
    this.#isReachable = true
  }
}
