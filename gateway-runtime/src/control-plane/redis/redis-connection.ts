import type { RedisSettings } from '../../config/redis-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import { ClusterClient, type RedisTls } from './cluster-client.ts'
import { type Redis, RedisError, type RedisScript, type RedisState, type ScriptReply } from './redis.ts'

const watchInterval = 500
const shortestRefreshInterval = 200

/** What /status and /metrics say of Redis. */
export interface RedisFacts {
  readonly state: RedisState
  /** Since when, ISO 8601. */
  readonly since: string
  /** `host:port` of each primary; why it does not answer, or null. */
  readonly primaries: Readonly<Record<string, string | null>>
  readonly commands: number
  readonly failures: number
}

/**
 * The node's way to the Redis Cluster. Looks twice a second whether every primary answers; while one does not, or
 * slots have moved, it asks the cluster for its layout again, so that it comes back by itself.
 */
export class RedisConnection implements Redis {
  readonly prefix: string
  readonly #settings: RedisSettings
  readonly #tls: RedisTls | undefined
  readonly #log: Pick<ErrorLog, 'write'>
  readonly #listeners = new Set<(state: RedisState) => void>()
  #client: ClusterClient | undefined
  #state: RedisState = 'down'
  #since = new Date()
  #primaries: Record<string, string | null> = {}
  #known: readonly string[] = []
  #commands = 0
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #refreshedAt = Number.NEGATIVE_INFINITY
  #refreshing: Promise<void> | undefined
  #saidDown = false
  #closed = false

  /** Does nothing until `start`. */
  constructor(settings: RedisSettings, tls: RedisTls | undefined, log: Pick<ErrorLog, 'write'>) {
    this.prefix = settings.prefix
    this.#settings = settings
    this.#tls = tls
    this.#log = log
  }

  /** Connects; resolves when that is done or has failed once. From then on it goes on trying by itself. */
  async start(): Promise<void> {
    await this.#watch()
  }

  get state(): RedisState {
    return this.#state
  }

  get facts(): RedisFacts {
    return {
      state: this.#state,
      since: this.#since.toISOString(),
      primaries: this.#primaries,
      commands: this.#commands,
      failures: this.#failures,
    }
  }

  command(key: string, args: readonly (string | Buffer)[], { binary = false } = {}): Promise<unknown> {
    return this.#ask((client) => client.command(key, args, binary))
  }

  script(
    script: RedisScript,
    keys: readonly [string, ...string[]],
    args: readonly (string | Buffer)[],
    { replicated = false } = {},
  ): Promise<ScriptReply> {
    return this.#ask((client) => client.script(script, keys, args, replicated))
  }

  onState(listener: (state: RedisState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#client?.close()
  }

  async #ask<Value>(ask: (client: ClusterClient) => Promise<Value>): Promise<Value> {
    this.#commands++
    try {
      if (!this.#client) throw new RedisError('not connected')
      return await ask(this.#client)
    } catch (error) {
      this.#failures++
      throw error
    }
  }

  async #watch(): Promise<void> {
    if (!this.#client) await this.#refresh()
    const { answering, silent } = (await this.#client?.probe()) ?? { answering: [], silent: new Map() }
    if (this.#closed) return
    if (this.#client) {
      this.#primaries = Object.fromEntries([...answering.map((address) => [address, null]), ...silent])
      if (answering.length > 0) this.#known = answering
      this.#become(
        silent.size === 0 ? 'connected' : answering.length > 0 ? 'failing-over' : 'down',
        [...silent][0],
      )
    }
    this.#timer = setTimeout(() => void this.#watch(), watchInterval)
    if (silent.size > 0) void this.#refresh()
  }

  /** Asks for the layout of the cluster; the client of before stays where nobody tells it. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#open().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #open(): Promise<void> {
    this.#refreshedAt = performance.now()
    // Servers that answered last are asked first: one that stands still costs a timeout.
    const addresses = this.#state === 'down' ? [...this.#settings.cluster, ...this.#known] : this.#known
    try {
      const client = await ClusterClient.open(this.#settings, this.#tls, [...new Set(addresses)], () =>
        this.#onStale(),
      )
      if (this.#closed) return client.destroy()
      const before = this.#client
      this.#client = client
      void before?.close()
    } catch (error) {
      if (!this.#client) this.#become('down', ['the cluster', (error as Error).message])
    }
  }

  #onStale(): void {
    if (this.#closed || performance.now() - this.#refreshedAt < shortestRefreshInterval) return
    void this.#refresh()
  }

  #become(state: RedisState, trouble: readonly [server: string, reason: string] | undefined): void {
    if (state === this.#state && (state !== 'down' || this.#saidDown)) return
    this.#saidDown = state === 'down'
    this.#state = state
    this.#since = new Date()
    const [server, reason] = trouble ?? []
    if (state === 'connected')
      this.#log.write('info', 'redis connected', { primaries: this.#client!.primaries.join() })
    else this.#log.write('error', state === 'down' ? 'redis down' : 'redis failing over', { server, reason })
    for (const listener of this.#listeners) listener(state)
  }
}
