import type { FastifyInstance } from 'fastify'
import { validate } from '../../config/schema-problems.ts'
import { purgeSchema } from '../../plugins/proxy-cache/purge.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { objectOf } from './entities.ts'
import { RequestRefused } from './problem.ts'

/**
 * POST /cache/purge `{url}`, `{prefix}` or `{tag}` has all caches of this node forget what it names; answers with how
 * many records that were: `{purged}`.
 */
export function addCacheResources(api: FastifyInstance, { commandPlugins, log }: AdminApiOptions): void {
  api.post('/cache/purge', async ({ body, principal }) => {
    const asked = validate(purgeSchema, objectOf(body))
    if (!asked.success) {
      const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
      throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
    }
    const counts = (await commandPlugins('proxy-cache', asked.data)) as number[]
    const purged = counts.reduce((sum, count) => sum + count, 0)
    log('info', 'cache purged', { ...asked.data, purged, caller: principal.name })
    return { purged }
  })
}
