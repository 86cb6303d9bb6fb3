import type { FastifyInstance } from 'fastify'
import { validate } from '../../config/schema-problems.ts'
import { explainRoute } from '../../data-plane/route-explanation.ts'
import { plugins } from '../../plugins/registry.ts'
import { version } from '../../version.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { askedRequest } from './asked-request.ts'
import { objectOf } from './entities.ts'
import { EntityIndex } from './entity-index.ts'
import { showEntity } from './entity-resources.ts'
import { openApiDocument } from './openapi.ts'
import { get } from './plan.ts'
import { RequestRefused } from './problem.ts'

/** The version of Kong's admin API whose conventions are followed. */
const apiVersion = '3.9.0'

/** What is said of the node as a whole: `/`, `/status`, `/config`, `/routes/explain`. */
export function addNodeResources(api: FastifyInstance, options: AdminApiOptions): void {
  const { store, status, log, drain } = options
  api.get('/', async () => ({
    name: 'gatehouse',
    tagline: 'Gatehouse, an API gateway',
    // Clients look here for what they may ask for.
    version: apiVersion,
    gateway_version: version,
    snapshot: store.current.snapshot.version,
    configuration: { database: 'files' },
    plugins: { available_on_server: Object.fromEntries([...plugins.keys()].map((name) => [name, true])) },
  }))
  api.get('/status', async () => status())
  api.get('/plugins/enabled', async () => ({ enabled_plugins: [...plugins.keys()] }))
  api.get('/routes/:id/service', async ({ params }) => {
    const index = EntityIndex.of(store.current.loaded)
    const { entity } = get(index, 'routes', (params as { readonly id: string }).id)
    return showEntity(get(index, 'services', String(entity.service)), index, options)
  })
  api.get('/upstreams/:id/health', async ({ params }) => {
    const { key } = get(
      EntityIndex.of(store.current.loaded),
      'upstreams',
      (params as { readonly id: string }).id,
    )
    const { targets = [] } = status() as { readonly targets?: readonly { readonly upstream: string }[] }
    return { data: targets.filter(({ upstream }) => upstream === key), next: null }
  })
  api.get('/openapi.json', async () => openApiDocument())
  api.post('/drain', { config: { role: 'admin' } }, async ({ principal }, reply) => {
    log('info', 'draining', { peer: principal.peer, caller: principal.name })
    reply.code(202)
    return drain()
  })
  addExplanation(api, options)
}

/**
 * POST /routes/explain `{method, url, headers}` says which route a request would take; POST /trace sends it, to the
 * gateway's own listener and nowhere else, and says how long each step took.
 */
function addExplanation(api: FastifyInstance, { store, trace }: AdminApiOptions): void {
  api.post('/trace', async (request) => {
    const asked = validate(askedRequest, objectOf(request.body))
    const url = asked.success && URL.parse(asked.data.url)
    if (asked.success && url && /^https?:$/.test(url.protocol) && /^[A-Z]{1,32}$/.test(asked.data.method))
      return trace(asked.data).catch((error: Error) => {
        throw new RequestRefused(409, 'not-traced', `the request could not be traced: ${error.message}`)
      })
    throw new RequestRefused(400, 'malformed-request', 'expected method, url (http or https) and headers')
  })
  api.post('/routes/explain', { config: { role: 'viewer' } }, async (request) => {
    const asked = validate(askedRequest, objectOf(request.body))
    if (asked.success) return explainRoute(store.current.snapshot.routes, asked.data)
    const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
    throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
  })
}
