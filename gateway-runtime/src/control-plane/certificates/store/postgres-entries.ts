import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresSettings } from '../../../config/postgres-settings.ts'
import { migrate } from '../../stores/postgres-migrations.ts'
import { type EntryChanges, type EntryStore, type Lease, LeaseLost } from './entry-store.ts'

const retryDelay = 500
const longestWait = 6_000

class PostgresLease implements Lease {
  readonly token = randomBytes(16).toString('base64url')
  readonly #pool: pg.Pool
  readonly #time: number
  #heldUntil = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(pool: pg.Pool, time: number) {
    this.#pool = pool
    this.#time = time
  }

  get isHeld(): boolean {
    return !this.#isOver && performance.now() < this.#heldUntil
  }

  /** Takes it where it is free or its own; resolves with whether it is. */
  async take(): Promise<boolean> {
    const asked = performance.now()
    const { rowCount } = await this.#pool.query(
      `insert into gatehouse_certificate_lease (id, token, ends_at)
       values (true, $1, now() + $2 * interval '1 millisecond')
       on conflict (id) do update set token = excluded.token, ends_at = excluded.ends_at
       where gatehouse_certificate_lease.token = $1 or gatehouse_certificate_lease.ends_at < now()`,
      [this.token, this.#time],
    )
    if (rowCount !== 1) this.#isOver = true
    else {
      this.#heldUntil = asked + this.#time
      this.#timer = setTimeout(() => void this.#beat(), this.#time / 5).unref()
    }
    return rowCount === 1
  }

  async release(): Promise<void> {
    this.#isOver = true
    clearTimeout(this.#timer)
    await this.#pool
      .query('delete from gatehouse_certificate_lease where token = $1', [this.token])
      .catch(() => {}) // then it ends by its time
  }

  async #beat(): Promise<void> {
    if (this.#isOver) return
    await this.take().catch(() => {
      if (this.isHeld) this.#timer = setTimeout(() => void this.#beat(), this.#time / 5).unref()
    })
  }
}

/** Entries in Postgres, a row each; the row of the lease is locked by every write, so that none comes too late. */
export class PostgresEntries implements EntryStore {
  readonly #pool: pg.Pool
  readonly #leaseTime: number
  readonly #node = randomBytes(9).toString('base64url')
  #isMigrated = false

  /** @param leaseTime - milliseconds after which the lease of a node that died is free; 10,000 */
  constructor(settings: PostgresSettings, leaseTime = 10_000) {
    this.#leaseTime = leaseTime
    this.#pool = new pg.Pool({
      connectionString: settings.url,
      ...(settings.password !== undefined && { password: settings.password }),
      connectionTimeoutMillis: settings.connect_timeout,
      query_timeout: settings.timeout,
      statement_timeout: settings.timeout,
      application_name: 'gatehouse',
      keepAlive: true,
      max: 4,
    })
    this.#pool.on('error', () => {}) // told of by the query that fails next
  }

  /** Writers come one after another, so numbers of changes are seen in their order. */
  async changes(since: string | undefined): Promise<EntryChanges> {
    await this.#prepare()
    const from = since ?? '0'
    const { rows } = await this.#pool.query<{ name: string; content: string | null; change: string }>(
      `with heard as (
         insert into gatehouse_certificate_nodes (node, change, heard_at) values ($2, $1, now())
         on conflict (node) do update set change = excluded.change, heard_at = excluded.heard_at
       )
       select name, content, change from gatehouse_certificate_entries where change > $1 order by change`,
      [from, this.#node],
    )
    const entries = new Map(rows.map(({ name, content }) => [name, content ?? undefined]))
    return { cursor: rows.at(-1)?.change ?? from, isComplete: since === undefined, entries }
  }

  async acquire(): Promise<Lease | undefined> {
    await this.#prepare()
    const lease = new PostgresLease(this.#pool, this.#leaseTime)
    return (await lease.take()) ? lease : undefined
  }

  /** Tries again for as long as the lease is held. */
  async write(entries: ReadonlyMap<string, string | undefined>, lease: Lease): Promise<string> {
    while (lease.isHeld) {
      try {
        return await this.#write(entries, (lease as PostgresLease).token)
      } catch (error) {
        if (error instanceof LeaseLost) throw error
        await sleep(retryDelay)
      }
    }
    throw new LeaseLost()
  }

  async takenUp(cursor: string): Promise<void> {
    const isBehind = async () =>
      (
        await this.#pool.query(
          `select 1 from gatehouse_certificate_nodes
           where change < $1 and heard_at > now() - interval '5 seconds' limit 1`,
          [cursor],
        )
      ).rowCount
    const deadline = performance.now() + longestWait
    while ((await isBehind().catch(() => 1)) && performance.now() < deadline) await sleep(100)
  }

  async close(): Promise<void> {
    await this.#pool
      .query('delete from gatehouse_certificate_nodes where node = $1', [this.#node])
      .catch(() => {})
    await this.#pool.end().catch(() => {})
  }

  async #write(entries: ReadonlyMap<string, string | undefined>, token: string): Promise<string> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      await client.query('begin')
      const { rowCount } = await client.query(
        'select 1 from gatehouse_certificate_lease where token = $1 and ends_at > now() for update',
        [token],
      )
      if (rowCount !== 1) throw new LeaseLost()
      const { rows } = await client.query<{ change: string }>(
        `insert into gatehouse_certificate_entries (name, content, change)
         select name, content, nextval('gatehouse_certificate_change') from unnest($1::text[], $2::text[]) as given (name, content)
         on conflict (name) do update set content = excluded.content, change = excluded.change
         returning change`,
        [[...entries.keys()], [...entries.values()].map((content) => content ?? null)],
      )
      await client.query('commit')
      return String(Math.max(...rows.map(({ change }) => Number(change))))
    } catch (error) {
      failure = error as Error
      await client.query('rollback').catch(() => {})
      throw error
    } finally {
      client.release(failure instanceof LeaseLost ? undefined : failure)
    }
  }

  async #prepare(): Promise<void> {
    if (!this.#isMigrated) await migrate(this.#pool)
    this.#isMigrated = true
  }
}
