import { z } from 'zod'

export const cacheSettings = z.strictObject({
  memory: z
    .int()
    .min(1_048_576)
    .max(2 ** 32)
    .default(67_108_864)
    .describe('Bytes for the answers of one node, shared by its workers; the oldest go first.'),
  max_entry: z
    .int()
    .min(1_024)
    .max(2 ** 28)
    .default(1_048_576)
    .describe('Bytes of the largest body that is kept; at most an eighth of the memory.'),
  default_ttl: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(0)
    .describe('Seconds that an answer is fresh which says nothing of it; 0: such answers are not kept.'),
  ignore_client_cache_control: z
    .boolean()
    .default(false)
    .describe('Whether Cache-Control of requests counts for nothing: a client could fetch anew at will.'),
  consumers: z
    .enum(['apart', 'together'])
    .default('apart')
    .describe('Whether consumers are given what was stored for others.'),
  collapse: z
    .boolean()
    .default(true)
    .describe('Whether requests for what is on its way already wait for it, over all workers of a node.'),
  sync: z
    .enum(['node', 'cluster'])
    .default('node')
    .describe('Whether each node keeps answers for itself, or finds in Redis what others have kept, too.'),
  redis_memory: z
    .int()
    .min(67_108_864)
    .max(2 ** 36)
    .default(268_435_456)
    .describe(
      'With sync: cluster: bytes for answers in Redis, over all servers; what ends first goes first.',
    ),
})
export type CacheSettings = z.output<typeof cacheSettings>
