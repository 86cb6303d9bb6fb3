import { hash } from 'node:crypto'
import { type Redis, redisScript } from '../../control-plane/redis/redis.ts'

const groups = 64
const longestLife = 86_400_000

/*
 * Puts a record in, or with an empty value takes it out. KEYS: records of a group (a hash by digest, and under 'bytes'
 * their size), and when each ends. ARGV: digest, value, milliseconds of life, bytes for the group, longest life. What
 * has ended goes, and where room is wanted what ends next.
 */
const put = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local records, ends = KEYS[1], KEYS[2]
local digest, value, room = ARGV[1], ARGV[2], tonumber(ARGV[4])
local bytes = tonumber(redis.call('HGET', records, 'bytes') or '0')
local function drop(one)
  bytes = bytes - redis.call('HSTRLEN', records, one)
  redis.call('HDEL', records, one)
  redis.call('ZREM', ends, one)
end
drop(digest)
for _, one in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 100)) do drop(one) end
while bytes + #value > room do
  local next = redis.call('ZRANGE', ends, 0, 0)[1]
  if not next then break end
  drop(next)
end
if #value > 0 then
  bytes = bytes + #value
  redis.call('HSET', records, digest, value)
  redis.call('ZADD', ends, now + tonumber(ARGV[3]), digest)
end
redis.call('HSET', records, 'bytes', bytes)
redis.call('PEXPIRE', records, ARGV[5])
redis.call('PEXPIRE', ends, ARGV[5])
return bytes`)

/** Records in Redis by key, within a number of bytes. Keys are stored as digests: they hold what clients ask for. */
export class ClusterRecords {
  readonly #redis: Redis
  readonly #name: string
  readonly #room: number

  /**
   * @param name - of the cache: the same on all nodes
   * @param bytes - for all records
   */
  constructor(redis: Redis, name: string, bytes: number) {
    this.#redis = redis
    this.#name = encodeURIComponent(name)
    this.#room = Math.floor(bytes / groups)
  }

  /** Rejected with a RedisError. */
  async get(key: string): Promise<Buffer | undefined> {
    const { digest, records } = this.#place(key)
    const found = await this.#redis.command(records, ['HGET', records, digest], { binary: true })
    return (found as Buffer | null) ?? undefined
  }

  /** `life`: milliseconds; at most a day counts. Rejected with a RedisError. */
  async put(key: string, value: Buffer, life: number): Promise<void> {
    const { digest, records, ends } = this.#place(key)
    const lasts = Math.min(Math.max(Math.ceil(life), 1), longestLife)
    const args = [digest, value, String(lasts), String(this.#room), String(longestLife)]
    await this.#redis.script(put, [records, ends], args)
  }

  /** Rejected with a RedisError. */
  delete(key: string): Promise<void> {
    return this.put(key, Buffer.alloc(0), 1)
  }

  #place(key: string) {
    const digest = hash('sha256', key, 'hex')
    const group = `${this.#redis.prefix}:{cache:${this.#name}:${Number.parseInt(digest.slice(0, 8), 16) % groups}}`
    return { digest, records: `${group}:records`, ends: `${group}:ends` }
  }
}
