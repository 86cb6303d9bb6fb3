import { randomUUID } from 'node:crypto'
import type CachePolicy from 'http-cache-semantics'
import type { Exchange } from '../contract.ts'
import type { SharedStore } from './shared-store.ts'
import { packAnswer, packVariants, type StoredAnswer, unpack, type Variants } from './stored-answer.ts'

const mostUnpacked = 1_000

/** What a worker has unpacked of the memory that all share. */
interface Unpacked {
  readonly position: number
  readonly record: Omit<StoredAnswer, 'body'> | Variants
}

/** Stored answers by resource and, where it has several representations, by what tells them apart. */
export class AnswerCache {
  readonly #store: SharedStore
  readonly #unpacked = new Map<string, Unpacked>()

  constructor(store: SharedStore) {
    this.#store = store
  }

  get(key: string, { request }: Exchange): StoredAnswer | undefined {
    const found = this.#lookup(key)
    if (!found || !('vary' in found)) return found
    const variant = this.#lookup(variantKey(key, found, (name) => request.header(name)))
    return variant && !('vary' in variant) ? variant : undefined
  }

  /** `vary`: the header names of its Vary field. Returns whether it was kept. */
  put(key: string, vary: readonly string[], { request }: Exchange, answer: StoredAnswer): boolean {
    if (vary.length === 0) return this.#store.put(key, packAnswer(answer))
    const known = this.#lookup(key)
    const isKnown = known !== undefined && 'vary' in known && known.vary.join() === vary.join()
    const variants = isKnown ? known : { vary, id: randomUUID() }
    if (!isKnown) this.#store.put(key, packVariants(variants))
    return this.#store.put(
      variantKey(key, variants, (name) => request.header(name)),
      packAnswer(answer),
    )
  }

  /** Forgets all representations of a resource. */
  delete(key: string): void {
    this.#store.delete(key)
  }

  #lookup(key: string): StoredAnswer | Variants | undefined {
    const found = this.#store.get(key)
    if (!found) return undefined
    const known = this.#unpacked.get(key)
    if (known?.position === found.position) {
      if ('vary' in known.record) return known.record
      return { ...known.record, body: found.value.subarray(bodyStart(found.value)) }
    }
    const record = unpack(found.value)
    this.#unpacked.delete(key)
    this.#unpacked.set(key, { position: found.position, record })
    if (this.#unpacked.size > mostUnpacked) this.#unpacked.delete(this.#unpacked.keys().next().value!)
    return record
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
