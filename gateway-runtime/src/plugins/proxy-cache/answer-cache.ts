import { randomUUID } from 'node:crypto'
import type CachePolicy from 'http-cache-semantics'
import type { Exchange, PluginContext } from '../contract.ts'
import type { CacheCall } from './cache-service.ts'
import type { SharedStore } from './shared-store.ts'
import { packAnswer, packVariants, type StoredAnswer, unpack, type Variants } from './stored-answer.ts'

const mostUnpacked = 1_000
/** Bytes of the largest record that goes to Redis, which serves others meanwhile. */
const mostShared = 1_048_576
const variantsLife = 86_400_000
/** Of these an answer may depend, and they are secrets: they do not leave the node. */
const secretNames = ['authorization', 'cookie', 'proxy-authorization']

/** Bytes of a body that a worker keeps for itself, once it has read it. */
const mostKept = 16_384

/** What a worker has unpacked of the memory that all share. */
type Unpacked = {
  readonly position: number
} & (
  | { readonly isWhole: true; readonly record: StoredAnswer | Variants }
  /** Its body is read anew each time. */
  | { readonly isWhole: false; readonly record: Omit<StoredAnswer, 'body'> }
)

/** The way to what other nodes have kept: see CacheService. */
type AskCluster = Pick<PluginContext, 'call' | 'count'>

/** Stored answers by resource and, where it has several representations, by what tells them apart. */
export class AnswerCache {
  readonly #store: SharedStore
  readonly #cluster: AskCluster | undefined
  readonly #unpacked = new Map<string, Unpacked>()

  /** @param cluster - undefined: other nodes are not asked */
  constructor(store: SharedStore, cluster: AskCluster | undefined) {
    this.#store = store
    this.#cluster = cluster
  }

  get hasCluster(): boolean {
    return this.#cluster !== undefined
  }

  /** Of this node. */
  get(key: string, { request }: Exchange): StoredAnswer | undefined {
    const found = this.#lookup(key)
    if (!found || !('vary' in found)) return found
    const variant = this.#lookup(variantKey(key, found, (name) => request.header(name)))
    return variant && !('vary' in variant) ? variant : undefined
  }

  /** What another node has kept, which is then kept here, too. Undefined as well where Redis does not answer. */
  async fetch(key: string, { request }: Exchange): Promise<StoredAnswer | undefined> {
    const found = await this.#fetchRecord(key)
    if (!found || !('vary' in found)) return found
    const variant = await this.#fetchRecord(variantKey(key, found, (name) => request.header(name)))
    return variant && !('vary' in variant) ? variant : undefined
  }

  /**
   * Keeps an answer, unless something was purged since.
   * @param vary - the header names of its Vary field
   * @param purges - SharedStore.purges when the service was asked
   */
  put(
    key: string,
    vary: readonly string[],
    { request }: Exchange,
    answer: StoredAnswer,
    purges: number,
  ): void {
    if (this.#store.purges !== purges) return
    const value = packAnswer(answer, vary)
    const life = answer.policy.timeToLive()
    const isShared = !vary.some((name) => secretNames.includes(name))
    const share = (shared: string, record: Buffer, lasts: number) => {
      if (isShared) this.#share(shared, record, lasts, purges)
    }
    if (vary.length === 0) {
      this.#store.put(key, value)
      return share(key, value, life)
    }
    const variants = this.#variantsOf(key, vary)
    const own = variantKey(key, variants, (name) => request.header(name))
    this.#store.put(own, value)
    share(key, packVariants(variants), variantsLife)
    share(own, value, life)
  }

  /** Forgets all representations of a resource. */
  delete(key: string): void {
    this.#store.delete(key)
    if (this.#cluster) this.#tell(this.#cluster, { kind: 'delete', key })
  }

  #variantsOf(key: string, vary: readonly string[]): Variants {
    const known = this.#lookup(key)
    if (known !== undefined && 'vary' in known && known.vary.join() === vary.join()) return known
    const variants = { vary, id: randomUUID() }
    this.#store.put(key, packVariants(variants))
    return variants
  }

  #share(key: string, value: Buffer, life: number, purges: number): void {
    if (!this.#cluster || value.length > mostShared) return
    this.#tell(this.#cluster, { kind: 'put', key, value, life, purges })
  }

  #tell(cluster: AskCluster, message: CacheCall): void {
    cluster.call(message).catch(() => cluster.count('without_redis'))
  }

  async #fetchRecord(key: string): Promise<StoredAnswer | Variants | undefined> {
    const cluster = this.#cluster!
    const { purges } = this.#store
    const message: CacheCall = { kind: 'get', key }
    const bytes = await cluster.call(message).catch(() => cluster.count('without_redis'))
    if (!bytes) return undefined
    const { buffer, byteOffset, length } = bytes as Uint8Array
    const value = Buffer.from(buffer, byteOffset, length)
    if (this.#store.purges === purges) this.#store.put(key, value)
    return unpack(value)
  }

  #lookup(key: string): StoredAnswer | Variants | undefined {
    const known = this.#unpacked.get(key)
    if (known?.isWhole && this.#store.isStillAt(known.position, key)) return known.record
    const found = this.#store.get(key)
    if (!found) return undefined
    const { position, value } = found
    if (known?.isWhole === false && known.position === position)
      return { ...known.record, body: value.subarray(bodyStart(value)) }
    const record = unpack(value)
    this.#keep(key, position, record)
    return record
  }

  #keep(key: string, position: number, record: StoredAnswer | Variants): void {
    this.#unpacked.delete(key)
    if ('vary' in record || record.body.length <= mostKept)
      this.#unpacked.set(key, { position, isWhole: true, record })
    else {
      const { body: _, ...rest } = record
      this.#unpacked.set(key, { position, isWhole: false, record: rest })
    }
    if (this.#unpacked.size > mostUnpacked) this.#unpacked.delete(this.#unpacked.keys().next().value!)
  }
}

const bodyStart = (value: Buffer) => 4 + value.readUInt32LE(0)

/** JSON, so that no value can be taken for two. */
const variantKey = (
  key: string,
  { vary, id }: Variants,
  header: (name: string) => string | undefined,
): string => `${key}\n${id}\n${JSON.stringify(vary.map((name) => header(name) ?? null))}`

/** The names of a Vary field, in order; undefined where no request is ever like another (RFC 9110 section 12.5.5). */
export function varyNames(policy: CachePolicy): readonly string[] | undefined {
  const vary = policy.responseHeaders().vary ?? ''
  const names = vary
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return names.includes('*') ? undefined : [...new Set(names)].sort()
}
