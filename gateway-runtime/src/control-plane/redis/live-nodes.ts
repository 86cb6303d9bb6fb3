import { randomBytes } from 'node:crypto'
import { type Redis, redisScript } from './redis.ts'

const beatInterval = 500
const silentAfter = 1_500
const forgottenAfter = 60_000

/** All nodes that share the Redis and its prefix, as this one last heard. */
export interface ClusterNodes {
  /** This node: another one after each start. */
  readonly id: string
  /** Ids in order, with this one: those that live, and those that fell silent within the last minute. */
  readonly all: readonly string[]
  /** Those of `all` that were not heard of for 1.5 s: dead, or cut off from Redis. */
  readonly silent: readonly string[]
}

// By the clock of the server, so that the clocks of nodes do not matter. Returns milliseconds since each was heard of.
const beat = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local heard = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #heard, 2 do heard[i] = tostring(now - heard[i]) end
return heard`)

/** Tells the others twice a second that this node lives, and learns who else does. */
export class LiveNodes {
  readonly #redis: Redis
  readonly #key: string
  #nodes: ClusterNodes
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(redis: Redis) {
    const id = randomBytes(9).toString('base64url')
    this.#redis = redis
    this.#key = `${redis.prefix}:{nodes}`
    this.#nodes = { id, all: [id], silent: [] }
  }

  /** Of now, or of the time when Redis was last reached. */
  get nodes(): ClusterNodes {
    return this.#nodes
  }

  /** Resolves when the others know of this node, or cannot be told. */
  async start(): Promise<void> {
    await this.#beat()
  }

  /** Takes its leave of the others. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#redis.command(this.#key, ['ZREM', this.#key, this.#nodes.id]).catch(() => {})
  }

  async #beat(): Promise<void> {
    const { id } = this.#nodes
    try {
      const { reply } = await this.#redis.script(beat, [this.#key], [id, String(forgottenAfter)])
      const heard = reply as string[]
      const silence = new Map<string, number>()
      for (let index = 0; index < heard.length; index += 2)
        silence.set(heard[index]!, Number(heard[index + 1]))
      const all = [...silence.keys()].sort()
      this.#nodes = { id, all, silent: all.filter((other) => silence.get(other)! >= silentAfter) }
    } catch {
      // The state of Redis is told of by its connection; what was known of the others stays.
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#beat(), beatInterval)
  }
}
