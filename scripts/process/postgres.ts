import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'

const programs = '/usr/lib/postgresql'

/** A server of one's own, with the programs of the system. */
export interface Postgres {
  readonly url: string
  query(text: string): Promise<pg.QueryResult>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>
  /** Ends it and deletes its data. */
  stop(): Promise<void>
}

/** Starts one in a temporary folder; it does not run as root, so where the tests do it runs as the user postgres. */
export async function startPostgres(): Promise<Postgres> {
  const [version] = (await readdir(programs)).sort((a, b) => Number(b) - Number(a))
  const bin = join(programs, version!, 'bin')
  const owner = await ownerOf()
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-postgres-'))
  if (owner) await chown(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const user = { ...owner, cwd: folder }
  const settings = ['--pgdata', data, '--username', 'gateway', '--auth', 'trust', '--no-sync']
  await promisify(execFile)(join(bin, 'initdb'), settings, user)
  const port = await freePort()
  const url = `postgres://gateway@127.0.0.1:${port}/postgres`
  let server: ReturnType<typeof spawn> | undefined

  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.query(text)
    } finally {
      await client.end().catch(() => {})
    }
  }
  const start = async () => {
    const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F']
    server = spawn(join(bin, 'postgres'), options, { ...user, stdio: 'ignore' })
    const deadline = performance.now() + 20_000
    const answers = () =>
      query('select 1').then(
        () => true,
        () => false,
      )
    while (!(await answers())) {
      if (performance.now() > deadline) throw new Error('Postgres did not answer within 20 s')
      await sleep(20)
    }
  }
  const end = async (signal: NodeJS.Signals) => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill(signal)
    await exited
  }
  await start()
  return {
    url,
    query,
    start,
    // SIGQUIT is its immediate shutdown: nothing is written any more, and the next start recovers.
    kill: () => end('SIGQUIT'),
    stop: async () => {
      await end('SIGINT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function ownerOf(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const [, uid, gid] = /^postgres:[^:]*:(\d+):(\d+):/m.exec(await readFile('/etc/passwd', 'utf8'))!
  return { uid: Number(uid), gid: Number(gid) }
}
