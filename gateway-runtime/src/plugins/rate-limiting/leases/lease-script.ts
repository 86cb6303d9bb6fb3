import { redisScript } from '../../../control-plane/redis/redis.ts'
import type { SharedStore } from '../../contract.ts'
import type { LeaseReply, LeaseRequest, LeaseStore, LimitWindow, WindowGrant } from './lease-exchange.ts'

const valuesOfWindow = 7
// How much longer than its windows a key is kept: so much may the clock of a server that takes over be behind.
const grace = 10_000

/*
 * KEYS: one a limited key. ARGV: node, sequence, number of nodes, reserved nodes by comma, number of windows; limit and
 * period of each; then for each key and window: number, held, heldNext, ask, askNext (see lease-exchange.ts).
 * A key holds for each window {n = number, c = claims on it, x = claims on the next}; a claim is {sequence, claim}.
 * The number of a window never goes back, whatever the clock does.
 */
const script = redisScript(`
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = micros / 1000
local node, sequence, nodes, windows = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local reserved = {}
for id in string.gmatch(ARGV[4], '[^,]+') do reserved[#reserved + 1] = id end

local function claim(claims, limit, held, ask)
  local own = claims[node]
  if held < 0 then held = own and own[2] or 0 end
  local free = limit - held
  for id, other in pairs(claims) do if id ~= node then free = free - other[2] end end
  for _, id in ipairs(reserved) do
    local has = claims[id] and claims[id][2] or 0
    free = free - math.max(0, math.ceil(limit / nodes) - has)
  end
  local granted = 0
  if ask > 0 and free > 0 then
    -- The less is free, the less each is given: so the last of it goes where it is used.
    granted = math.min(ask, free, math.max(math.ceil(free / nodes), math.ceil(limit / (8 * nodes))))
  end
  if own or held + granted > 0 then claims[node] = {sequence, held + granted} end
  return held + granted, granted, math.max(0, free - granted)
end

local function late(claims) return claims[node] and claims[node][1] >= sequence end

local reply = {string.format('%.0f', micros)}
local at = 6 + 2 * windows
for k = 1, #KEYS do
  local stored = redis.call('GET', KEYS[k])
  local state = stored and cmsgpack.unpack(stored) or {}
  local keep, stale, answer = 0, false, {}
  for w = 1, windows do
    local limit, period = tonumber(ARGV[4 + 2 * w]), tonumber(ARGV[5 + 2 * w])
    local s = state[w]
    local number = math.floor(now / period)
    if s and s.n > number then number = s.n end
    local claims, nexts = {}, {}
    if s and s.n == number then claims, nexts = s.c, s.x
    elseif s and s.n == number - 1 then claims = s.x end
    if late(claims) or late(nexts) then stale = true break end
    local known, held, heldNext = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local ask, askNext = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    if known == number - 1 then held, heldNext = heldNext, -1
    elseif known == number + 1 then held, heldNext = -1, held
    elseif known ~= number then held, heldNext = -1, -1 end
    local a, b, c = claim(claims, limit, held, ask)
    local d, e, f = claim(nexts, limit, heldNext, askNext)
    state[w] = {n = number, c = claims, x = nexts}
    for _, value in ipairs({number, a, b, c, d, e, f}) do answer[#answer + 1] = value end
    keep = math.max(keep, (number + 2) * period - now)
    at = at + 5
  end
  if stale then
    reply[#reply + 1] = {}
    at = 6 + 2 * windows + k * windows * 5
  else
    redis.call('SET', KEYS[k], cmsgpack.pack(state), 'PX', math.ceil(keep) + ${grace})
    reply[#reply + 1] = answer
  end
end
return reply`)

/**
 * Leases in Redis. A lease counts only when the replicas have it too: so no failover brings back what is used.
 * `name` tells one limit from all others; keys of a group have one hash tag.
 */
export class RedisLeaseStore implements LeaseStore {
  readonly #shared: SharedStore
  readonly #windows: readonly LimitWindow[]
  readonly #prefix: string

  constructor(shared: SharedStore, name: string, windows: readonly LimitWindow[]) {
    this.#shared = shared
    this.#windows = windows
    const periods = windows.map(({ period }) => period).join('+')
    // A brace would end the hash tag; percent-encoding keeps two names apart.
    this.#prefix = `${shared.redis.prefix}:leases:{${encodeURIComponent(name)}:${periods}`
  }

  exchange(request: LeaseRequest, done: (reply: LeaseReply | undefined) => void): void {
    const keys = request.keys.map(({ digest }) => `${this.#prefix}:${request.group}}:${digest}`)
    const { id, all, reserved } = request.nodes
    const windows = this.#windows
    const args = [
      id,
      request.sequence,
      all,
      reserved.join(),
      windows.length,
      ...windows.flatMap(({ limit, period }) => [limit, period]),
      ...request.keys.flatMap(({ claims }) =>
        claims.flatMap((claim) => [claim.number, claim.held, claim.heldNext, claim.ask, claim.askNext]),
      ),
    ]
    const [first, ...others] = keys
    this.#shared.redis
      .script(script, [first!, ...others], args.map(String), { replicated: true })
      .then(({ reply, replicated }) =>
        done(replicated ? decode(reply as [string, ...number[][]]) : undefined),
      )
      .catch(() => done(undefined))
  }
}

function decode([micros, ...keys]: readonly [string, ...number[][]]): LeaseReply {
  return {
    time: Number(micros) / 1_000,
    keys: keys.map((values) => {
      if (values.length === 0) return undefined
      const grants: WindowGrant[] = []
      for (let at = 0; at < values.length; at += valuesOfWindow) {
        const [number, claim, granted, free, claimNext, grantedNext, freeNext] = values.slice(at) as [
          number,
          ...number[],
        ] as [number, number, number, number, number, number, number]
        grants.push({ number, claim, granted, free, claimNext, grantedNext, freeNext })
      }
      return grants
    }),
  }
}
