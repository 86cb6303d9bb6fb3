import { join } from 'node:path'
import pg from 'pg'
import { type FolderContents, readFolder, writeFolder } from '../../config/index.ts'
import type { PostgresSettings } from '../../config/postgres-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import { IamTokens } from '../aws/iam-token.ts'
import { FolderWatcher } from '../folder-watcher.ts'
import { DocumentCopy, emptyDocument } from './document-copy.ts'
import { migrate } from './postgres-migrations.ts'
import type { ConfigurationSource } from './source.ts'
import { StoreConflict, StoreUnreachable } from './store-errors.ts'

/** A token is asked for with every connection: none is used past its time. */
function passwordOf({ url, password, aws_iam }: PostgresSettings): Pick<pg.ClientConfig, 'password'> {
  if (!aws_iam) return password === undefined ? {} : { password }
  const { hostname, port, username } = new URL(url)
  const tokens = new IamTokens({
    service: 'rds-db',
    host: `${hostname}:${port || 5_432}`,
    user: decodeURIComponent(username),
    region: aws_iam.region,
  })
  return { password: () => tokens.next() }
}

/** The name that the document has among the texts of the folder. */
const documentName = 'postgres.yaml'
const channel = 'gatehouse_configuration'
const keptRevisions = 50
const longestDelay = 5_000
const pollInterval = 30_000
const uniqueViolation = '23505'

interface Document {
  readonly revision: number
  readonly text: string
}

/**
 * Entities in Postgres, one document a revision, so that every change is one row that is there or not; settings of the
 * node in its folder. All nodes hear of a new revision (LISTEN). Each keeps the last one that was in force in its state
 * folder (mode 0600), and goes on with it, or starts with it, while the database is away.
 */
export class PostgresSource implements ConfigurationSource {
  readonly name = 'postgres'
  readonly holdsKeys = true
  readonly #folder: string
  readonly #copy: DocumentCopy<Document>
  readonly #connection: pg.ClientConfig
  readonly #pool: pg.Pool
  #listener: pg.Client | undefined
  #document: Document | undefined
  #isMigrated = false
  #isClosed = false

  constructor(folder: string, stateDirectory: string, settings: PostgresSettings, errorLog: ErrorLog) {
    this.#folder = folder
    this.#copy = new DocumentCopy(join(stateDirectory, 'postgres-copy.json'), 'Postgres', errorLog)
    this.#connection = {
      connectionString: settings.url,
      ...passwordOf(settings),
      connectionTimeoutMillis: settings.connect_timeout,
      query_timeout: settings.timeout,
      statement_timeout: settings.timeout,
      application_name: 'gatehouse',
      keepAlive: true,
    }
    this.#pool = new pg.Pool({ ...this.#connection, max: 2, idleTimeoutMillis: 30_000 })
    this.#pool.on('error', (error) => this.#copy.lost(error))
  }

  /** Whether the database answered when it was last asked. */
  get isReachable(): boolean {
    return this.#copy.isReachable
  }

  /** @throws OperationalError where it cannot be reached and never was */
  async read(): Promise<FolderContents> {
    try {
      this.#document = await this.#latest()
      this.#copy.found()
    } catch (error) {
      this.#copy.lost(error as Error)
      this.#document ??= this.#copy.read(error as Error)
    }
    return new Map([...readFolder(this.#folder), [documentName, this.#document.text]])
  }

  async write(before: FolderContents, after: FolderContents, author: string): Promise<void> {
    const text = after.get(documentName) ?? emptyDocument
    if (text !== before.get(documentName)) await this.#insert(text, author)
    writeFolder(this.#folder, without(before), without(after))
  }

  watch(onChange: () => void): () => void {
    const watcher = new FolderWatcher(this.#folder, onChange, (name) => /\.ya?ml$/.test(name))
    const timer = setInterval(onChange, pollInterval).unref()
    void this.#listen(onChange, 100)
    return () => {
      watcher.close()
      clearInterval(timer)
    }
  }

  accepted(): void {
    if (this.#document) this.#copy.write(this.#document)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#listener?.end().catch(() => {})
    await this.#pool.end().catch(() => {})
  }

  async #latest(): Promise<Document> {
    if (!this.#isMigrated) await migrate(this.#pool)
    this.#isMigrated = true
    const { rows } = await this.#pool.query(
      'select revision, document from gatehouse_configuration order by revision desc limit 1',
    )
    const [row] = rows as { revision: string; document: string }[]
    return row ? { revision: Number(row.revision), text: row.document } : { revision: 0, text: emptyDocument }
  }

  /** Two nodes that write at once write the same revision: the key lets one of them. */
  async #insert(text: string, author: string): Promise<void> {
    const revision = this.#document!.revision + 1
    try {
      await this.#pool.query(
        `with added as (
           insert into gatehouse_configuration (revision, document, author) values ($1, $2, $3) returning revision
         ), removed as (
           delete from gatehouse_configuration where revision <= $1::bigint - ${keptRevisions}
         )
         select pg_notify('${channel}', revision::text) from added`,
        [revision, text, author],
      )
    } catch (error) {
      if ((error as { code?: string }).code === uniqueViolation) {
        throw new StoreConflict()
      }
      this.#copy.lost(error as Error)
      throw new StoreUnreachable(
        `Postgres cannot be reached, so nothing was changed: ${(error as Error).message}`,
      )
    }
    this.#document = { revision, text }
  }

  /** For as long as this is open: after a loss again, with growing delays, and then as if something had changed. */
  async #listen(onChange: () => void, delay: number): Promise<void> {
    if (this.#isClosed) return
    const client = new pg.Client(this.#connection)
    this.#listener = client
    let isOver = false
    const again = (next: number) => {
      if (isOver) return
      isOver = true
      void client.end().catch(() => {})
      const jitter = next * (0.5 + Math.random() / 2)
      setTimeout(() => void this.#listen(onChange, Math.min(next * 2, longestDelay)), jitter).unref()
    }
    client.on('error', () => again(delay))
    client.on('end', () => again(delay))
    client.on('notification', onChange)
    try {
      await client.connect()
      await client.query(`listen ${channel}`)
      delay = 100
      onChange()
    } catch {
      again(delay)
    }
  }
}

const without = (contents: FolderContents): FolderContents =>
  new Map([...contents].filter(([name]) => name !== documentName))
