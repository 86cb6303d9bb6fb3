import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis, RedisScript } from '../../redis/redis.ts'
import { type EntryChanges, type EntryStore, type Lease, LeaseLost } from './entry-store.ts'
import { RedisLease } from './redis-lease.ts'
import { nodesBehind, readChanges, writeEntries } from './redis-scripts.ts'

const mostAtOnce = 50
const silentAfter = 5_000
const longestWait = 6_000
const retryDelay = 250

/** Entries in a Redis Cluster, all on one of its shards. A change costs who reads it what has changed, and no more. */
export class RedisEntries implements EntryStore {
  readonly #redis: Redis
  readonly #leaseTime: number
  readonly #node = randomBytes(9).toString('base64url')

  /** @param leaseTime - milliseconds after which the lease of a node that died is free; 10,000 */
  constructor(redis: Redis, leaseTime = 10_000) {
    this.#redis = redis
    this.#leaseTime = leaseTime
  }

  async changes(since: string | undefined): Promise<EntryChanges> {
    const entries = new Map<string, string | undefined>()
    let [epoch, number] = (since ?? ' -1').split(' ') as [string, string]
    let isComplete = false
    for (;;) {
      const keys = this.#keys('nodes', 'position', 'changes', 'entries')
      const { reply } = await this.#redis.script(readChanges, keys, [
        epoch,
        number,
        this.#node,
        String(mostAtOnce),
      ])
      const [nextEpoch, nextNumber, kind, ...found] = reply as [string, string, string, ...(string | null)[]]
      if (kind === 'complete') {
        isComplete = true
        entries.clear()
      }
      for (let index = 0; index < found.length; index += 2)
        entries.set(String(found[index]), found[index + 1] ?? undefined)
      epoch = nextEpoch
      number = nextNumber
      if (found.length < mostAtOnce * 2) return { cursor: `${epoch} ${number}`, isComplete, entries }
    }
  }

  acquire(): Promise<Lease | undefined> {
    return RedisLease.acquire(this.#redis, this.#keys('lease')[0], this.#leaseTime)
  }

  /** Tries again for as long as the lease is held: a failover is over within its time, or else another may go on. */
  async write(entries: ReadonlyMap<string, string | undefined>, lease: Lease): Promise<string> {
    const keys = this.#keys('lease', 'position', 'changes', 'entries')
    const texts = [...entries].flatMap(([name, text]) => [
      name,
      text === undefined ? 'remove' : 'set',
      text ?? '',
    ])
    const args = [(lease as RedisLease).token, randomBytes(9).toString('base64url'), ...texts]
    while (lease.isHeld) {
      const written = await this.#redis
        .script(writeEntries, keys, args, { replicated: true })
        .catch(() => undefined)
      if (written?.reply === 'lost') throw new LeaseLost()
      if (written?.replicated) return String(written.reply)
      await sleep(retryDelay)
    }
    throw new LeaseLost()
  }

  async takenUp(cursor: string): Promise<void> {
    const [epoch, number] = cursor.split(' ') as [string, string]
    const deadline = performance.now() + longestWait
    const isBehind = async () =>
      Number(await this.#ask(nodesBehind, ['nodes'], [epoch, number, String(silentAfter)]))
    while ((await isBehind().catch(() => 1)) > 0 && performance.now() < deadline) await sleep(100)
  }

  async close(): Promise<void> {
    const [key] = this.#keys('nodes')
    await this.#redis.command(key, ['HDEL', key, this.#node]).catch(() => {})
  }

  async #ask(script: RedisScript, names: readonly [string, ...string[]], args: readonly string[]) {
    return (await this.#redis.script(script, this.#keys(...names), args)).reply
  }

  #keys<Names extends readonly [string, ...string[]]>(...names: Names): [string, ...string[]] {
    return names.map((name) => `${this.#redis.prefix}:{certificates}:${name}`) as [string, ...string[]]
  }
}
