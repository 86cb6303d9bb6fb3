import { setTimeout as sleep } from 'node:timers/promises'
import { redisScript } from '../../control-plane/redis/redis.ts'
import type { SharedStore } from '../contract.ts'
import { matcherOf, type Purge } from './purge.ts'

const lookInterval = 400
const currentFor = 2_000
const confirmWithin = 3_000
const mostLooks = 4
const mostKept = 1_000
const everything: Purge = { prefix: '/' }
/** Longer than any record in Redis lasts. */
const keptFor = 90_000_000

// KEYS: the log. ARGV: the purge, how many are kept, one of everything, and milliseconds to keep them.
const append = redisScript(`
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
  redis.call('XADD', KEYS[1], '*', 'purge', ARGV[3])
end
local id = redis.call('XADD', KEYS[1], '*', 'purge', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return id`)

// KEYS: the log, and how far this node is. ARGV: the last purge that it has done.
const readOn = redisScript(`
redis.call('SET', KEYS[2], ARGV[1], 'PX', 60000)
return redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')`)

const readPlaces = redisScript(`return redis.call('MGET', unpack(KEYS))`)

/** What became of a purge. */
export interface PurgeOutcome {
  /** Records of this node. */
  readonly purged: number
  /** Nodes that have done it, this one with them. */
  readonly nodes: number
  /** Nodes that live and have not said within 3 s that they have: they will when they reach Redis. */
  readonly missing: number
}

interface Entry {
  readonly id: string
  readonly isMeant: (key: string, value: Buffer) => boolean
}

/**
 * The purges of one cache, in their order, for all nodes: each does those that it has not done yet. Purges stay known
 * for as long as Redis may hold records from before them.
 */
export class PurgeLog {
  readonly #shared: SharedStore
  readonly #name: string
  readonly #apply: (purge: Purge) => Promise<number>
  #entries: Entry[] = []
  /** What this node itself had of a purge. */
  readonly #counts = new Map<string, number>()
  #last = '0-0'
  #readAt = Number.NEGATIVE_INFINITY
  #hasBegun = false
  #looking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** @param apply - takes what is meant out of the memory of this node */
  constructor(shared: SharedStore, name: string, apply: (purge: Purge) => Promise<number>) {
    this.#shared = shared
    this.#name = encodeURIComponent(name)
    this.#apply = apply
    void this.#watch()
  }

  /** The last purge that this node has done: whatever it fetches from now on is newer. */
  get last(): string {
    return this.#last
  }

  /** Whether it is known which purges there were, up to a moment ago. */
  get isCurrent(): boolean {
    return performance.now() - this.#readAt < currentFor
  }

  /** Whether a record that was fetched when `last` was this has been purged since. */
  isPurged(last: string, key: string, value: Buffer): boolean {
    return this.#entries.some(({ id, isMeant }) => isLater(id, last) && isMeant(key, value))
  }

  /** Has all nodes purge. Rejected where they cannot be told. */
  async announce(purge: Purge): Promise<PurgeOutcome> {
    const { redis } = this.#shared
    const args = [JSON.stringify(purge), String(mostKept), JSON.stringify(everything), String(keptFor)]
    const id = String((await redis.script(append, [this.#key('purges')], args, { replicated: true })).reply)
    for (let looks = 0; isLater(id, this.#last); looks++) {
      if (looks === mostLooks) throw new Error('what was announced is not there')
      await this.#look()
    }
    const purged = this.#counts.get(id) ?? 0
    return { purged, ...(await this.#confirmed(id)) }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #key(what: string): string {
    return `${this.#shared.redis.prefix}:{cache:${this.#name}}:${what}`
  }

  async #watch(): Promise<void> {
    // Where Redis does not answer, nothing of it is used meanwhile.
    await this.#look().catch(() => {})
    this.#hasBegun = true
    if (!this.#closed) this.#timer = setTimeout(() => void this.#watch(), lookInterval)
  }

  /** One after the other: each purge is done once. */
  async #look(): Promise<void> {
    await this.#looking?.catch(() => {})
    this.#looking ??= this.#readOn().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #readOn(): Promise<void> {
    const { redis, nodes } = this.#shared
    const keys = [this.#key('purges'), this.#key(`at:${nodes.id}`)] as const
    const asked = performance.now()
    const found = (await redis.script(readOn, [...keys], [this.#last])).reply as [string, string[]][]
    for (const [id, [, text]] of found) {
      const purge = JSON.parse(text!) as Purge
      this.#entries.push({ id, isMeant: matcherOf(purge) })
      // What is there at the start is of before anything that this node keeps.
      if (this.#hasBegun) this.#keepCount(id, await this.#apply(purge))
      this.#last = id
    }
    this.#entries = this.#entries
      .filter(({ id }) => timeOf(this.#last) - timeOf(id) < keptFor)
      .slice(-mostKept - 1)
    this.#readAt = asked
  }

  #keepCount(id: string, count: number): void {
    this.#counts.set(id, count)
    if (this.#counts.size > mostKept) this.#counts.delete(this.#counts.keys().next().value!)
  }

  async #confirmed(id: string): Promise<{ nodes: number; missing: number }> {
    const { redis, nodes } = this.#shared
    const living = nodes.all.filter((node) => node !== nodes.id && !nodes.silent.includes(node))
    const [first, ...others] = living.map((node) => this.#key(`at:${node}`))
    if (first === undefined) return { nodes: 1, missing: 0 }
    for (const until = performance.now() + confirmWithin; ; await sleep(50)) {
      const { reply } = await redis.script(readPlaces, [first, ...others], [])
      const done = (reply as (string | null)[]).filter((at) => at !== null && !isLater(id, at)).length
      if (done === living.length || performance.now() > until || this.#closed)
        return { nodes: done + 1, missing: living.length - done }
    }
  }
}

const timeOf = (id: string): number => Number(id.split('-')[0])

/** Whether one id of a stream comes after another. */
function isLater(id: string, other: string): boolean {
  const [time, count] = id.split('-').map(Number) as [number, number]
  const [otherTime, otherCount] = other.split('-').map(Number) as [number, number]
  return time === otherTime ? count > otherCount : time > otherTime
}
