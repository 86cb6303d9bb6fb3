import type pg from 'pg'

/**
 * Each is run once, in order. While nodes of two versions run side by side, the older ones must go on working: what is
 * added comes in one version (a column with a default), and what is no longer used is dropped in the next.
 */
const migrations: readonly string[] = [
  `create table gatehouse_configuration (
     revision bigint primary key,
     document text not null,
     author text not null,
     created_at timestamptz not null default now()
   )`,
  `create sequence gatehouse_certificate_change;
   create table gatehouse_certificate_entries (
     name text primary key,
     content text,
     change bigint not null unique
   );
   create table gatehouse_certificate_lease (
     id boolean primary key check (id),
     token text not null,
     ends_at timestamptz not null
   );
   create table gatehouse_certificate_nodes (
     node text primary key,
     change bigint not null,
     heard_at timestamptz not null
   )`,
]

/** Any number, the same for all nodes: only one of them migrates at a time. */
const lock = 7_302_114

/** Brings the tables to the form that this version needs; newer ones are left as they are. */
export async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [lock])
    await client.query('create table if not exists gatehouse_migrations (version integer primary key)')
    const { rows } = await client.query(
      'select coalesce(max(version), 0) as version from gatehouse_migrations',
    )
    const { version } = rows[0] as { version: number }
    for (const [index, statement] of migrations.entries()) {
      if (index < version) continue
      await client.query(statement)
      await client.query('insert into gatehouse_migrations (version) values ($1)', [index + 1])
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  } finally {
    client.release()
  }
}
