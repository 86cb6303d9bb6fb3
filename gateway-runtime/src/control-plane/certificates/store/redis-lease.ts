import { randomBytes } from 'node:crypto'
import type { Redis } from '../../redis/redis.ts'
import type { Lease } from './entry-store.ts'
import { dropLease, keepLease, takeLease } from './redis-scripts.ts'

/**
 * A lease in Redis, with a heartbeat. Only what all replicas know counts, so that a failover forgets none; the holder
 * counts from before it has asked, so that it gives up before Redis does, whatever their clocks say.
 */
export class RedisLease implements Lease {
  /** What no other lease has: Redis compares it at each write. */
  readonly token = randomBytes(16).toString('base64url')
  readonly #redis: Redis
  readonly #key: string
  readonly #time: number
  #heldUntil = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  private constructor(redis: Redis, key: string, time: number) {
    this.#redis = redis
    this.#key = key
    this.#time = time
  }

  /**
   * @param time - milliseconds after which it is free when nothing was heard of its holder
   * @returns undefined where another holds it. Rejected with a RedisError.
   */
  static async acquire(redis: Redis, key: string, time: number): Promise<RedisLease | undefined> {
    const lease = new RedisLease(redis, key, time)
    if (await lease.#ask(takeLease)) {
      lease.#beatLater()
      return lease
    }
    await lease.release()
    return undefined
  }

  get isHeld(): boolean {
    return !this.#isOver && performance.now() < this.#heldUntil
  }

  async release(): Promise<void> {
    this.#isOver = true
    clearTimeout(this.#timer)
    await this.#redis.script(dropLease, [this.#key], [this.token]).catch(() => {}) // then it ends by its time
  }

  async #ask(script: typeof takeLease): Promise<boolean> {
    const asked = performance.now()
    const args = [this.token, String(this.#time)]
    const { reply, replicated } = await this.#redis.script(script, [this.#key], args, { replicated: true })
    if (Number(reply) !== 1) {
      this.#isOver = script === keepLease
      return false
    }
    if (replicated) this.#heldUntil = asked + this.#time
    return replicated
  }

  #beatLater(): void {
    this.#timer = setTimeout(() => void this.#beat(), this.#time / 5).unref()
  }

  async #beat(): Promise<void> {
    await this.#ask(keepLease).catch(() => {}) // until its time is over, the next one may reach Redis
    if (this.isHeld) this.#beatLater()
    else this.#isOver = true
  }
}
