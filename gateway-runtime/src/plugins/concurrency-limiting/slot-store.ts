import { redisScript } from '../../control-plane/redis/redis.ts'
import type { SharedStore } from '../contract.ts'

/** Milliseconds after which a node's slots are free again unless it has said in the meantime that it holds them. */
export const slotLifetime = 10_000

/*
 * KEYS: one a limited key. ARGV: node, sequence, limit, lifetime; then for each key how many slots the node has in
 * use, and how many it wishes. A key holds claims by node: {sequence, claim, until}. What is in use stays claimed,
 * whatever the limit says: a request that runs cannot be taken back.
 */
const script = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, sequence, limit, lifetime = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local reply = {}
for k = 1, #KEYS do
  local used, wish = tonumber(ARGV[3 + 2 * k]), tonumber(ARGV[4 + 2 * k])
  local stored = redis.call('GET', KEYS[k])
  local claims = stored and cmsgpack.unpack(stored) or {}
  if claims[node] and claims[node][1] >= sequence then reply[k] = -1
  else
    local free = limit
    for id, claim in pairs(claims) do
      if id ~= node then
        if claim[3] > now then free = free - claim[2] else claims[id] = nil end
      end
    end
    local claim = math.max(used, math.min(wish, free))
    claims[node] = {sequence, claim, now + lifetime}
    redis.call('SET', KEYS[k], cmsgpack.pack(claims), 'PX', lifetime)
    reply[k] = claim
  end
end
return reply`)

export interface SlotRequest {
  readonly digest: string
  readonly used: number
  readonly wish: number
}

/** Slots for requests in flight, in Redis. Keys of a group have one hash tag. */
export class SlotStore {
  readonly #shared: SharedStore
  readonly #name: string
  readonly #limit: number
  #sequence = 0

  constructor(shared: SharedStore, name: string, limit: number) {
    this.#shared = shared
    this.#name = encodeURIComponent(name)
    this.#limit = limit
  }

  /**
   * Says what this node uses and wishes. How many slots of each key it has now, or -1 where a later message has come
   * before this one. Rejected where that is not known, or the replicas do not know it.
   */
  async claim(group: number, requests: readonly SlotRequest[]): Promise<readonly number[]> {
    const { redis, nodes } = this.#shared
    const keys = requests.map(({ digest }) => `${redis.prefix}:slots:{${this.#name}:${group}}:${digest}`)
    const args = [
      nodes.id,
      ++this.#sequence,
      this.#limit,
      slotLifetime,
      ...requests.flatMap(({ used, wish }) => [used, wish]),
    ]
    const { reply, replicated } = await redis.script(script, [keys[0]!, ...keys.slice(1)], args.map(String), {
      replicated: true,
    })
    if (!replicated) throw new Error('the replicas do not have it')
    return reply as number[]
  }
}
