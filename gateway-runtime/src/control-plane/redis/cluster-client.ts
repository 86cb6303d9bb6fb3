import { createCluster, RESP_TYPES } from '@redis/client'
import type { RedisSettings } from '../../config/redis-settings.ts'
import { IamTokens } from '../aws/iam-token.ts'
import { iamCredentials } from './iam-credentials.ts'
import { RedisError, type RedisScript, type ScriptReply } from './redis.ts'

const longestReconnectDelay = 1_000
const mostCommandsAtOnce = 4_096
// A replica acknowledges within a round trip; one that stands still must not hold up the connection for long.
const replicaPatience = 0.5
const asBuffers = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

type Cluster = ReturnType<typeof newCluster>
type ServerClient = Awaited<ReturnType<Cluster['getNodeClientForKey']>>

/** Certificates and keys of the settings as PEM texts. */
export interface RedisTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
}

function newCluster(settings: RedisSettings, tls: RedisTls | undefined, addresses: readonly string[]) {
  const socket = {
    connectTimeout: settings.connect_timeout,
    // No sign of life, not even on a ping, for so long: the connection is dead.
    socketTimeout: Math.max(settings.connect_timeout, 2_000),
    reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, longestReconnectDelay),
    noDelay: true,
    ...(tls && { tls: true as const, ...tls }),
  }
  return createCluster({
    rootNodes: addresses.map((address) => ({ socket: hostAndPort(address) })),
    defaults: {
      socket,
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostCommandsAtOnce,
      ...authentication(settings),
    },
    // So the cluster knows how many replicas there are; they are not connected to until they are asked.
    useReplicas: true,
    minimizeConnections: true,
    maxCommandRedirections: 3,
  })
}

function authentication({ username, password, aws_iam }: RedisSettings) {
  if (aws_iam) {
    const { cache, region } = aws_iam
    return {
      credentialsProvider: iamCredentials(
        new IamTokens({ service: 'elasticache', host: cache, user: username!, region }),
      ),
    }
  }
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
}

function hostAndPort(address: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(address)!
  return { host: bracketed ?? plain!, port: Number(port ?? 6_379) }
}

/** One view of the cluster: which server has which slots. Where that has changed, another takes its place. */
export class ClusterClient {
  readonly #cluster: Cluster
  readonly #timeout: number
  readonly #onStale: () => void
  #commands = 0

  private constructor(cluster: Cluster, timeout: number, onStale: () => void) {
    this.#cluster = cluster
    this.#timeout = timeout
    this.#onStale = onStale
  }

  /**
   * Asks the servers, one after another, for the cluster's layout.
   * @param onStale - called when the layout seems to be another by now
   * @throws RedisError when none of them tells it
   */
  static async open(
    settings: RedisSettings,
    tls: RedisTls | undefined,
    addresses: readonly string[],
    onStale: () => void,
  ): Promise<ClusterClient> {
    const cluster = newCluster(settings, tls, addresses)
    let reason = 'no server answers'
    cluster.on('error', (error: Error) => {
      reason = describe(error)
    })
    try {
      // Each server may take as long as a connection and a sign of life.
      await inTime(cluster.connect(), (settings.connect_timeout + 2_000) * 2, 'the layout of the cluster')
    } catch {
      cluster.destroy()
      throw new RedisError(reason)
    }
    if (cluster.masters.length === 0) {
      cluster.destroy()
      throw new RedisError('the servers are no cluster yet')
    }
    return new ClusterClient(cluster, settings.timeout, onStale)
  }

  /** `host:port` of the primaries. */
  get primaries(): string[] {
    return this.#cluster.masters.map(({ address }) => address)
  }

  /** Pings every primary; those that answer in time, and why the others do not. */
  async probe(): Promise<{ readonly answering: string[]; readonly silent: Map<string, string> }> {
    const answering: string[] = []
    const silent = new Map<string, string>()
    await Promise.all(
      this.#cluster.masters.map(async (node) => {
        const ping = async () => (await this.#cluster.nodeClient(node)).sendCommand(['PING'])
        await this.#inTime(ping).then(
          () => answering.push(node.address),
          (error) => silent.set(node.address, describe(error)),
        )
      }),
    )
    return { answering, silent }
  }

  command(key: string, args: readonly (string | Buffer)[], binary: boolean): Promise<unknown> {
    const options = binary ? asBuffers : undefined
    return this.#inTime(async () => {
      this.#requireServerOf(key)
      return this.#cluster.sendCommand(key, false, [...args], options)
    })
  }

  async script(
    { source, sha }: RedisScript,
    keys: readonly [string, ...string[]],
    args: readonly (string | Buffer)[],
    replicated: boolean,
  ): Promise<ScriptReply> {
    const rest = [String(keys.length), ...keys, ...args]
    return this.#inTime(async (isLate) => {
      this.#requireServerOf(keys[0])
      const server = await this.#cluster.getNodeClientForKey(keys[0])
      if (isLate()) throw new RedisError('the connection came too late')
      try {
        return await this.#send(server, keys[0], ['EVALSHA', sha, ...rest], replicated)
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
        return this.#send(server, keys[0], ['EVAL', source, ...rest], replicated)
      }
    })
  }

  /** Lets what is under way end, for at most as long as a command may take. */
  async close(): Promise<void> {
    const closed = this.#cluster.close().catch(() => {})
    await inTime(closed, this.#timeout, 'closing').catch(() => {})
    this.destroy()
  }

  destroy(): void {
    if (this.#cluster.isOpen) this.#cluster.destroy()
  }

  /** WAIT follows its command on the same connection: it waits for what that connection has written. */
  async #send(
    server: ServerClient,
    key: string,
    args: (string | Buffer)[],
    replicated: boolean,
  ): Promise<ScriptReply> {
    const replicas = replicated ? this.#replicasOf(key) : 0
    const sent = server.sendCommand(args)
    if (replicas === 0) return { reply: await sent, replicated: true }
    const patience = String(Math.max(Math.floor(this.#timeout * replicaPatience), 1))
    const waited = server.sendCommand(['WAIT', String(replicas), patience])
    waited.catch(() => {}) // where the script fails, nobody asks for it
    const reply = await sent
    const isReplicated = Number(await waited) >= replicas
    if (!isReplicated) this.#onStale()
    return { reply, replicated: isReplicated }
  }

  /** A slot that had no server when the layout was asked for may have one by now. */
  #requireServerOf(key: string): void {
    if (this.#cluster.slots[slotOf(key)]) return
    this.#onStale()
    throw new RedisError('no server has the slot of the key')
  }

  #replicasOf(key: string): number {
    return this.#cluster.slots[slotOf(key)]?.replicas?.length ?? 0
  }

  async #inTime<Value>(ask: (isLate: () => boolean) => Promise<Value>): Promise<Value> {
    if (this.#commands >= mostCommandsAtOnce) throw new RedisError('too many commands wait for answers')
    this.#commands++
    let late = false
    const asked = ask(() => late).finally(() => this.#commands--)
    try {
      return await inTime(asked, this.#timeout, 'an answer')
    } catch (error) {
      if (/^(MOVED|ASK|CLUSTERDOWN|READONLY|MASTERDOWN|LOADING)/.test((error as Error).message))
        this.#onStale()
      throw error instanceof RedisError ? error : new RedisError(describe(error))
    } finally {
      late = true
    }
  }
}

/** What a promise brings, if it does so in time; a RedisError that says what was awaited where it does not. */
async function inTime<Value>(awaited: Promise<Value>, limit: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RedisError(`${what} did not come within ${limit} ms`)), limit)
  })
  awaited.catch(() => {}) // when it comes too late, nobody asks for it
  return Promise.race([awaited, late]).finally(() => clearTimeout(timer))
}

/** Why it failed, without keys and arguments: of an answer of Redis its first word. */
function describe(error: unknown): string {
  if (error instanceof RedisError) return error.message
  const { message, code } = error as NodeJS.ErrnoException
  if (code !== undefined) return code
  const [, answer] = /^([A-Z]{3,}) /.exec(message ?? '') ?? []
  if (answer !== undefined) return `Redis answered ${answer}`
  return message || 'the connection was lost'
}

const tagOf = (key: string): string => /\{([^}]+)\}/.exec(key)?.[1] ?? key

/** The hash slot of a key: CRC-16 (XMODEM) of its hash tag, modulo 16384 (Redis Cluster specification). */
export function slotOf(key: string): number {
  let crc = 0
  for (const byte of Buffer.from(tagOf(key))) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % 16_384
}
