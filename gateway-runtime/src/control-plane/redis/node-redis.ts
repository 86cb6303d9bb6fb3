import type { RedisSettings } from '../../config/redis-settings.ts'
import { readPem } from '../../config/tls-files.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import { OperationalError } from '../operational-error.ts'
import type { RedisTls } from './cluster-client.ts'
import { type ClusterNodes, LiveNodes } from './live-nodes.ts'
import type { Redis } from './redis.ts'
import { RedisConnection, type RedisFacts } from './redis-connection.ts'

/** What a node shares with others through Redis: the connection, and who the others are. */
export class NodeRedis {
  readonly #connection: RedisConnection
  readonly #live: LiveNodes

  /**
   * @param folder - that of the configuration, which paths of certificates go by
   * @throws OperationalError when one of them cannot be read
   */
  constructor(settings: RedisSettings, folder: string, log: Pick<ErrorLog, 'write'>) {
    this.#connection = new RedisConnection(settings, readTls(settings, folder), log)
    this.#live = new LiveNodes(this.#connection)
  }

  get redis(): Redis {
    return this.#connection
  }

  get nodes(): ClusterNodes {
    return this.#live.nodes
  }

  get facts(): RedisFacts & { readonly node: string; readonly nodes: number } {
    const { id, all, silent } = this.nodes
    return { ...this.#connection.facts, node: id, nodes: all.length - silent.length }
  }

  /** Resolves when connected, or when that failed once: a gateway starts without its Redis too. */
  async start(): Promise<void> {
    await this.#connection.start()
    await this.#live.start()
  }

  async close(): Promise<void> {
    await this.#live.close()
    await this.#connection.close()
  }
}

function readTls({ tls }: RedisSettings, folder: string): RedisTls | undefined {
  if (!tls) return undefined
  const read = (setting: string | undefined) => {
    try {
      return setting === undefined ? undefined : readPem(folder, setting)
    } catch (error) {
      throw new OperationalError(`redis.tls: ${(error as Error).message}`, { cause: error })
    }
  }
  const [ca, cert, key] = [read(tls.ca), read(tls.certificate), read(tls.key)]
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls.server_name !== undefined && { servername: tls.server_name }),
  }
}
