import { randomBytes } from 'node:crypto'
import { type Redis, redisScript } from './redis.ts'

const beatInterval = 1_000
const silentAfter = 2_500
const forgottenAfter = 60_000

/** All nodes that share the Redis and its prefix, as this one last heard. */
export interface ClusterNodes {
  /** This node: another one after each start. */
  readonly id: string
  /** Ids in order, with this one: those that live, and those that fell silent within the last minute. */
  readonly all: readonly string[]
  /** Those of `all` that were not heard of for 2.5 s: dead, or cut off from Redis. */
  readonly silent: readonly string[]
}

// By the clock of the server, so that the clocks of nodes do not matter. Returns milliseconds since each was heard of.
const beat = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = redis.call('GET', KEYS[1])
local heard = stored and cmsgpack.unpack(stored) or {}
local answer = {}
heard[ARGV[1]] = ARGV[3] == 'lives' and now or nil
for id, at in pairs(heard) do
  if now - at > tonumber(ARGV[2]) then heard[id] = nil
  else
    answer[#answer + 1] = id
    answer[#answer + 1] = tostring(now - at)
  end
end
redis.call('SET', KEYS[1], cmsgpack.pack(heard), 'PX', ARGV[2])
return answer`)

/** Tells the others every second that this node lives, and learns who else does. */
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
    await this.#tell('leaves').catch(() => {})
  }

  async #tell(what: 'lives' | 'leaves'): Promise<unknown> {
    const args = [this.#nodes.id, String(forgottenAfter), what]
    return (await this.#redis.script(beat, [this.#key], args)).reply
  }

  async #beat(): Promise<void> {
    const { id } = this.#nodes
    try {
      const heard = (await this.#tell('lives')) as string[]
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
