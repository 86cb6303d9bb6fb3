import type { FastifyInstance } from 'fastify'
import { validate } from '../../config/schema-problems.ts'
import { purgeSchema } from '../../plugins/proxy-cache/purge.ts'
import type { PurgeOutcome } from '../../plugins/proxy-cache/purge-log.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { objectOf } from './entities.ts'
import { RequestRefused } from './problem.ts'

/**
 * POST /cache/purge `{url}`, `{prefix}` or `{tag}` has all caches forget what it names, over all nodes that share a
 * Redis. Answers with how many records of this node that were, and how many nodes have done it: `{purged, nodes,
 * missing}`; 503 where the other nodes cannot be told.
 */
export function addCacheResources(api: FastifyInstance, { commandPlugins, log }: AdminApiOptions): void {
  api.post('/cache/purge', async ({ body, principal }) => {
    const asked = validate(purgeSchema, objectOf(body))
    if (!asked.success) {
      const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
      throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
    }
    const outcomes = await commandPlugins('proxy-cache', asked.data).catch((error: Error) => {
      throw new RequestRefused(503, 'cluster-not-told', error.message)
    })
    const outcome = (outcomes as PurgeOutcome[]).reduce(together, { purged: 0, nodes: 1, missing: 0 })
    log('info', 'cache purged', { ...asked.data, ...outcome, caller: principal.name })
    return outcome
  })
}

const together = (one: PurgeOutcome, other: PurgeOutcome): PurgeOutcome => ({
  purged: one.purged + other.purged,
  nodes: Math.max(one.nodes, other.nodes),
  missing: Math.max(one.missing, other.missing),
})
