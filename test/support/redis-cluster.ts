import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { type Program, startProgram } from '../../scripts/process/program.ts'
import { eventually } from './eventually.ts'
import { freePorts } from './ports.ts'

const primaries = 3
const slots = 16_384

/** One redis-server of a cluster. */
export interface RedisServer {
  readonly port: number
  /** `127.0.0.1:PORT`, as redis.cluster of config.yaml takes it. */
  readonly address: string
  /** Sends a command to this very server; what it does not answer within 5 s is an error. */
  command(...args: string[]): Promise<unknown>
  /** Ends it at once (SIGKILL), with all that it had not passed on. */
  kill(): Promise<void>
  /** Has it stand still (SIGSTOP): it takes connections and answers nothing. */
  pause(): void
  resume(): void
  /** Starts it again after `kill`, as it was configured; with nothing in its memory. */
  restart(): Promise<void>
}

export interface RedisCluster {
  readonly servers: readonly RedisServer[]
  readonly addresses: readonly string[]
  /** The server that now answers for a hash slot, or for that of a key; asked of the servers that run. */
  primaryOf(slot: number): Promise<RedisServer>
  /** The servers that are primaries now. */
  primaries(): Promise<RedisServer[]>
  /** Calls of each command so far, by INFO commandstats, over all primaries; also those that scripts made. */
  calls(): Promise<Map<string, number>>
  stop(): Promise<void>
}

export interface RedisClusterOptions {
  /** Milliseconds without a sign of life after which a server is given up by the others; 5,000. */
  readonly nodeTimeout?: number
  /** More settings for each redis-server: name and value. */
  readonly settings?: Readonly<Record<string, string>>
}

/**
 * Starts a Redis Cluster of six servers of the distribution, three primaries with a replica each, on free ports of
 * 127.0.0.1 with nothing on disk. Resolves when all slots are served and all replicas follow.
 */
export async function startRedisCluster(
  program: string,
  options: RedisClusterOptions = {},
): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-redis-'))
  const ports = await freePorts(primaries * 4)
  const servers: Server[] = []
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (let index = 0; index < primaries * 2; index++) {
      servers.push(new Server(program, folder, ports[index * 2]!, ports[index * 2 + 1]!, options))
    }
    await Promise.all(servers.map((server) => server.start()))
    await joinTogether(servers)
  } catch (error) {
    await stop()
    throw error
  }
  const running = () => servers.filter((server) => server.isRunning)
  const shards = async (): Promise<[number, number, RedisServer][]> => {
    const answers = await Promise.any(running().map((server) => server.command('CLUSTER', 'SLOTS')))
    return (answers as [number, number, [string, number]][]).map(([from, to, [, port]]) => [
      from,
      to,
      servers.find((server) => server.port === port)!,
    ])
  }
  return {
    servers,
    addresses: servers.map(({ address }) => address),
    primaryOf: async (slot) => (await shards()).find(([from, to]) => slot >= from && slot <= to)![2],
    primaries: async () => [...new Set((await shards()).map(([, , server]) => server))],
    calls: async () => {
      const totals = new Map<string, number>()
      const texts = await Promise.all(
        (await shards()).map(([, , server]) => server.command('INFO', 'commandstats')),
      )
      for (const [, name, calls] of texts.join('\n').matchAll(/cmdstat_([^:]+):calls=(\d+)/g))
        totals.set(name!, (totals.get(name!) ?? 0) + Number(calls))
      return totals
    },
    stop,
  }
}

class Server implements RedisServer {
  readonly port: number
  readonly busPort: number
  readonly #arguments: readonly [string, ...string[]]
  #program: Program | undefined
  #client: ReturnType<typeof createClient> | undefined
  #paused = false

  constructor(program: string, folder: string, port: number, busPort: number, options: RedisClusterOptions) {
    this.port = port
    this.busPort = busPort
    const settings = {
      port: String(port),
      'cluster-port': String(busPort),
      bind: '127.0.0.1',
      dir: folder,
      'cluster-enabled': 'yes',
      'cluster-config-file': `nodes-${port}.conf`,
      'cluster-node-timeout': String(options.nodeTimeout ?? 5_000),
      'cluster-require-full-coverage': 'no',
      'repl-diskless-sync-delay': '0',
      save: '',
      appendonly: 'no',
      ...options.settings,
    }
    this.#arguments = [program, ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])]
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get isRunning(): boolean {
    return this.#program !== undefined && !this.#program.hasExited && !this.#paused
  }

  async start(): Promise<void> {
    this.#program = await startProgram({ name: `redis-server ${this.port}`, command: this.#arguments })
    await eventually(
      `redis-server on ${this.port} answers`,
      () => this.command('PING').catch(() => undefined),
      30_000,
    )
  }

  async command(...args: string[]): Promise<unknown> {
    this.#client ??= await this.#connect()
    const client = this.#client
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`redis-server ${this.port} does not answer`)), 5_000)
    })
    return Promise.race([client.sendCommand(args), late]).finally(() => clearTimeout(timer))
  }

  async kill(): Promise<void> {
    this.#disconnect()
    this.resume()
    await this.#program?.stop({ signal: 'SIGKILL' })
  }

  pause(): void {
    this.#paused = true
    process.kill(this.#program!.pid, 'SIGSTOP')
  }

  resume(): void {
    if (this.#paused) process.kill(this.#program!.pid, 'SIGCONT')
    this.#paused = false
  }

  restart(): Promise<void> {
    return this.start()
  }

  async stop(): Promise<void> {
    if (this.#program && !this.#program.hasExited) await this.kill()
    else this.#disconnect()
  }

  async #connect(): Promise<ReturnType<typeof createClient>> {
    const client = createClient({
      socket: { host: '127.0.0.1', port: this.port, reconnectStrategy: false },
      disableOfflineQueue: true,
    })
    client.on('error', () => this.#disconnect())
    await client.connect()
    return client as ReturnType<typeof createClient>
  }

  #disconnect(): void {
    const client = this.#client
    this.#client = undefined
    if (client?.isOpen) client.destroy()
  }
}

/** Makes one cluster of servers that know nothing of each other: the first three become the primaries. */
async function joinTogether(servers: readonly Server[]): Promise<void> {
  const [first] = servers as [Server, ...Server[]]
  await Promise.all(
    servers.map((server, index) => server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))),
  )
  for (let index = 0; index < primaries; index++) {
    const from = Math.floor((index * slots) / primaries)
    const to = Math.floor(((index + 1) * slots) / primaries) - 1
    await servers[index]!.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
  }
  // Each is told of each: by word of mouth alone it takes ten seconds.
  for (const server of servers) {
    const meet = ({ port, busPort }: Server) =>
      server.command('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
    await Promise.all(servers.filter((other) => other !== server).map(meet))
  }
  await eventually(
    'every server knows every other',
    async () => {
      const texts = await Promise.all(servers.map((server) => server.command('CLUSTER', 'NODES')))
      return texts.every(
        (text) =>
          String(text).match(/ connected/g)?.length === servers.length && !String(text).includes('handshake'),
      )
    },
    60_000,
  )
  for (const [index, replica] of servers.slice(primaries).entries()) {
    await replica.command('CLUSTER', 'REPLICATE', String(await servers[index]!.command('CLUSTER', 'MYID')))
  }
  await eventually(
    'all slots are served and all replicas follow',
    async () => {
      const states = await Promise.all(servers.map((server) => server.command('CLUSTER', 'INFO')))
      const links = await Promise.all(
        servers.slice(primaries).map((server) => server.command('INFO', 'replication')),
      )
      const shards = (await first.command('CLUSTER', 'SLOTS')) as unknown[][]
      return (
        states.every((text) => String(text).includes('cluster_state:ok')) &&
        links.every((text) => String(text).includes('master_link_status:up')) &&
        shards.length === primaries &&
        shards.every((shard) => shard.length === 4)
      )
    },
    60_000,
  )
}
