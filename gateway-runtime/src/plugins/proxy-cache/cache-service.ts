import type { PluginNode, PluginService } from '../contract.ts'
import { reservedBytes } from './changed-resources.ts'
import { ClusterRecords } from './cluster-records.ts'
import { type Purge, purgeStore } from './purge.ts'
import { PurgeLog, type PurgeOutcome } from './purge-log.ts'
import type { CacheSettings } from './settings.ts'
import { SharedStore } from './shared-store.ts'

/** What workers ask of the caches of other nodes. */
export type CacheCall =
  | { readonly kind: 'get' | 'delete'; readonly key: string }
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: Uint8Array
      /** Milliseconds. */
      readonly life: number
      /** SharedStore.purges when the service was asked. */
      readonly purges: number
    }

const mostPuts = 64

/** The side of the node: purges, over all nodes where they share a Redis, and what they find there of each other. */
export class CacheService implements PluginService {
  readonly #store: SharedStore
  readonly #log: PurgeLog | undefined
  readonly #records: ClusterRecords | undefined
  #puts = 0

  constructor({ sync, redis_memory }: CacheSettings, { id, shared, sharedMemory }: PluginNode) {
    if (sync === 'cluster' && !shared)
      throw new Error(
        `${id}: sync: cluster keeps answers in Redis, and none is configured; name its servers under redis.cluster in config.yaml, or say sync: node`,
      )
    this.#store = new SharedStore(sharedMemory!, reservedBytes)
    this.#log = shared && new PurgeLog(shared, id, (purge) => purgeStore(this.#store, purge))
    this.#records = sync === 'cluster' ? new ClusterRecords(shared!.redis, id, redis_memory) : undefined
  }

  async onCommand(command: unknown): Promise<PurgeOutcome> {
    const purge = command as Purge
    if (!this.#log) return { purged: await purgeStore(this.#store, purge), nodes: 1, missing: 0 }
    try {
      return await this.#log.announce(purge)
    } catch (error) {
      await purgeStore(this.#store, purge)
      const reason = (error as Error).message
      throw new Error(
        `this node has forgotten it, and whether the others have is not known: Redis: ${reason}; purge again when it answers`,
        { cause: error },
      )
    }
  }

  /** Rejected where Redis does not answer. */
  onCall(message: unknown): Promise<Buffer | undefined> | undefined {
    const call = message as CacheCall
    if (call.kind === 'get') return this.#get(call.key)
    if (call.kind === 'put') return this.#put(call)
    return this.#records!.delete(call.key).then(() => undefined)
  }

  stop(): void {
    this.#log?.close()
  }

  /** What is in Redis holds in front of a record which purges were done when it was fetched. */
  async #get(key: string): Promise<Buffer | undefined> {
    if (!this.#log!.isCurrent) throw new Error('it is not known what was purged')
    const found = await this.#records!.get(key)
    if (!found) return undefined
    const end = found.indexOf(10)
    const value = found.subarray(end + 1)
    return this.#log!.isPurged(found.toString('latin1', 0, end), key, value) ? undefined : value
  }

  async #put({ key, value, life, purges }: Extract<CacheCall, { kind: 'put' }>): Promise<undefined> {
    // No purge came between the request and now: so `last` is what it was then.
    if (purges !== this.#store.purges || this.#puts >= mostPuts) return
    this.#puts++
    try {
      await this.#records!.put(key, Buffer.concat([Buffer.from(`${this.#log!.last}\n`), value]), life)
    } finally {
      this.#puts--
    }
  }
}
