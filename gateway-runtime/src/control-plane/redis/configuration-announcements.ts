import { randomBytes } from 'node:crypto'
import type { Redis } from './redis.ts'

const lookInterval = 400
const keptFor = 86_400_000

/**
 * Tells the other nodes of a cluster that the configuration in their common store is another one, so that they need
 * not wait until they ask the store by themselves. Redis holds no configuration, only a word that changes: what it
 * loses or is cut off from costs nothing but time.
 */
export class ConfigurationAnnouncements {
  readonly #redis: Redis
  readonly #key: string
  readonly #onAnnounced: () => void
  #seen: unknown
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** `onAnnounced`: another node has changed something, or may have while Redis was away. */
  constructor(redis: Redis, onAnnounced: () => void) {
    this.#redis = redis
    this.#key = `${redis.prefix}:configuration`
    this.#onAnnounced = onAnnounced
    void this.#look()
  }

  /** This node has changed it. Never rejects: who is not told finds out from the store. */
  async announce(): Promise<void> {
    const word = randomBytes(9).toString('base64url')
    this.#seen = word
    await this.#redis.command(this.#key, ['SET', this.#key, word, 'PX', String(keptFor)]).catch(() => {})
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    try {
      const word = await this.#redis.command(this.#key, ['GET', this.#key])
      if (this.#isClosed) return
      const isNew = word !== null && word !== this.#seen
      const isFirst = this.#seen === undefined
      this.#seen = word ?? ''
      if (isNew && !isFirst) this.#onAnnounced()
    } catch {
      // Its connection tells of it; the store is asked by itself meanwhile.
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#look(), lookInterval)
  }
}
