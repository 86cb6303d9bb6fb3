import { afterAll, beforeAll, expect } from '@jest/globals'
import fc from 'fast-check'
import { redisSchema } from '../../../../../gateway-runtime/src/config/redis-settings.ts'
import { RedisConnection } from '../../../../../gateway-runtime/src/control-plane/redis/redis-connection.ts'
import type {
  LeaseReply,
  LeaseRequest,
  WindowClaim,
} from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-exchange.ts'
import { RedisLeaseStore } from '../../../../../gateway-runtime/src/plugins/rate-limiting/leases/lease-script.ts'
import { type RedisCluster, startRedisCluster } from '../../../../support/redis-cluster.ts'
import { programForTests } from '../../../../support/test-program.ts'
import { execute, ModelState } from './lease-model.ts'

const { path, test, isInstalled } = await programForTests('redis-server')

let cluster: RedisCluster
let redis: RedisConnection

beforeAll(async () => {
  if (!isInstalled) return
  cluster = await startRedisCluster(path)
  redis = new RedisConnection(redisSchema.parse({ cluster: cluster.addresses, timeout: '5s' }), undefined, {
    write: () => {},
  })
  await redis.start()
})

afterAll(async () => {
  await redis?.close()
  await cluster?.stop()
})

const digests = ['AAAAAAAAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAAAAAAAQ']
const ids = ['north', 'south', 'west']
const amount = fc.oneof(fc.constant(-1), fc.nat(40))

/** What a node says; the number of the window is told as a distance from the one that is now. */
const anyClaim = fc.record({
  distance: fc.constantFrom(-3, -1, 0, 0, 0, 1, undefined),
  held: amount,
  heldNext: amount,
  ask: fc.nat(60),
  askNext: fc.nat(60),
})

const anyRequest = fc.record({
  sequence: fc.nat(30),
  id: fc.constantFrom(...ids),
  reserved: fc.subarray(ids),
  claims: fc.array(fc.tuple(anyClaim, anyClaim), { minLength: 1, maxLength: 2 }),
})

test('the script in Redis does what the model does that the simulation rests upon', async () => {
  const windows = [
    { limit: 50, period: 300 },
    { limit: 100, period: 86_400_000 },
  ]
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(anyRequest, { minLength: 1, maxLength: 12 }), async (requests) => {
      const store = new RedisLeaseStore(
        { redis, nodes: { id: 'north', all: ids, silent: [] } },
        `route:${run++}/{rate}`,
        windows,
      )
      const model = new ModelState()
      for (const { sequence, id, reserved, claims } of requests) {
        const request: LeaseRequest = {
          sequence,
          group: 0,
          nodes: { id, all: ids.length, reserved: reserved.filter((other) => other !== id) },
          keys: claims.map((ofKey, index) => ({
            digest: digests[index]!,
            claims: ofKey.map(({ distance, ...claim }, window): WindowClaim => {
              const now = Math.floor(Date.now() / windows[window]!.period)
              return { ...claim, number: distance === undefined ? 0 : now + distance }
            }),
          })),
        }
        const reply = await new Promise<LeaseReply | undefined>((resolve) => store.exchange(request, resolve))
        expect(reply).toEqual(execute(model, windows, request, reply!.time))
      }
    }),
    { numRuns: 150 },
  )
})
