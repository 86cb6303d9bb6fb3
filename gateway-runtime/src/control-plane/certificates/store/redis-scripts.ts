import { redisScript } from '../../redis/redis.ts'

/*
 * All keys have one hash tag, so that a script sees lease and entries in one moment. The position is the number of the
 * last change; the epoch is another one where Redis has lost everything and begun anew.
 */

/** KEYS nodes, position, changes, entries. ARGV epoch, number, node, most. Answers epoch, number, then name, text. */
export const readChanges = redisScript(`
local time = redis.call('TIME')
local epoch = redis.call('HGET', KEYS[2], 'epoch') or ''
local last = tonumber(redis.call('HGET', KEYS[2], 'number') or '0')
local since = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], ARGV[3], cmsgpack.pack({time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1], since}))
redis.call('PEXPIRE', KEYS[1], 86400000)
if epoch ~= ARGV[1] or since > last then since = -1 end
local answer = {epoch, tostring(last), since == -1 and 'complete' or 'changes'}
if since == last then return answer end
local found = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. tostring(since), '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[4]))
for index = 1, #found, 2 do
  answer[2] = found[index + 1]
  answer[#answer + 1] = found[index]
  answer[#answer + 1] = redis.call('HGET', KEYS[4], found[index])
end
return answer`)

/** KEYS lease, position, changes, entries. ARGV token, fresh epoch, then name, 'set' or 'remove', text. */
export const writeEntries = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
redis.call('HSETNX', KEYS[2], 'epoch', ARGV[2])
local number
for index = 3, #ARGV, 3 do
  number = redis.call('HINCRBY', KEYS[2], 'number', 1)
  redis.call('ZADD', KEYS[3], number, ARGV[index])
  if ARGV[index + 1] == 'set' then redis.call('HSET', KEYS[4], ARGV[index], ARGV[index + 2])
  else redis.call('HDEL', KEYS[4], ARGV[index]) end
end
return redis.call('HGET', KEYS[2], 'epoch') .. ' ' .. number`)

/** KEYS lease. ARGV token, milliseconds. Takes a lease that is free. */
export const takeLease = redisScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

/** KEYS lease. ARGV token, milliseconds. Holds on to a lease that is still its own. */
export const keepLease = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)

/** KEYS lease. ARGV token. */
export const dropLease = redisScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`)

/**
 * KEYS nodes. ARGV epoch, number, milliseconds after which a node is silent. Answers how many nodes that live have not
 * asked for what came after that number yet; forgets those that are silent for long.
 */
export const nodesBehind = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local behind = 0
for index = 1, #all, 2 do
  local heard = cmsgpack.unpack(all[index + 1])
  local silence = now - heard[1]
  if silence > 60000 then redis.call('HDEL', KEYS[1], all[index])
  elseif silence < tonumber(ARGV[3]) and (heard[2] ~= ARGV[1] or heard[3] < tonumber(ARGV[2])) then
    behind = behind + 1
  end
end
return behind`)
