import type { FastifyInstance } from 'fastify'
import { maskSecrets, z } from '../../config/index.ts'
import { validate } from '../../config/schema-problems.ts'
import { explainRoute } from '../../data-plane/route-explanation.ts'
import { version } from '../../version.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { objectOf } from './entities.ts'
import { RequestRefused } from './problem.ts'

/** What is said of the node as a whole: `/`, `/status`, `/config`, `/routes/explain`. */
export function addNodeResources(api: FastifyInstance, options: AdminApiOptions): void {
  const { store, status, log } = options
  api.get('/', async () => ({ name: 'gatehouse', version, snapshot: store.current.snapshot.version }))
  api.get('/status', async () => status())
  api.get('/config', async ({ principal }) => {
    const { shown } = store.current.loaded
    return principal.role === 'viewer' || principal.tags || principal.names ? maskSecrets(shown) : shown
  })
  api.post('/config/reload', async ({ principal }) => {
    const before = store.current.snapshot.version
    const error = await store.reload({ always: true })
    if (error) throw error
    const { snapshot } = store.current
    log('info', 'configuration reloaded', {
      peer: principal.peer,
      caller: principal.name,
      snapshot: snapshot.version,
    })
    const { warnings } = store.current.loaded
    return { changed: snapshot.version !== before, snapshot: snapshot.version, warnings }
  })
  addExplanation(api, options)
}

const askedRequest = z.strictObject({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
})

/** POST /routes/explain `{method, url, headers}` says which route a request would take. */
function addExplanation(api: FastifyInstance, { store }: AdminApiOptions): void {
  api.post('/routes/explain', { config: { role: 'viewer' } }, async (request) => {
    const asked = validate(askedRequest, objectOf(request.body))
    if (asked.success) return explainRoute(store.current.snapshot.routes, asked.data)
    const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
    throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
  })
}
