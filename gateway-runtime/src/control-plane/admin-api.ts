import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import {
  type Collection,
  ConfigurationError,
  entitySchemas,
  type FolderContents,
  type Problem,
  z,
} from '../config/index.ts'
import { validate } from '../config/schema-problems.ts'
import { explainRoute } from '../data-plane/route-explanation.ts'
import { version } from '../version.ts'
import { checkAccess } from './admin-access.ts'
import { problemOf, RequestRefused } from './admin-problem.ts'
import type { ConfigurationStore } from './configuration-store.ts'
import {
  type Entity,
  EntityChanges,
  entityId,
  getEntity,
  hasEntity,
  listEntities,
  warningsSince,
} from './entities.ts'

export interface AdminApiOptions {
  readonly store: ConfigurationStore
  /** What every request must bring, as `Authorization: Bearer`. */
  readonly token: string
  /** What GET /status answers. */
  readonly status: () => object
  readonly log: (
    level: 'info' | 'warn' | 'error',
    event: string,
    fields?: Record<string, string | number | undefined>,
  ) => void
}

const bodyLimit = 1_048_576
const longestId = 512

/**
 * The admin API, by the conventions of Kong's: collections `services`, `routes`, `upstreams` and `plugins`, entities
 * by name (plugins by `pluginId`, with its slash as %2F), lists as `{data, next}`. Errors are
 * application/problem+json with a stable `code`. Not listening yet.
 */
export function createAdminApi(options: AdminApiOptions): FastifyInstance {
  const api = fastify({
    bodyLimit,
    routerOptions: { maxParamLength: longestId },
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error),
  })
  api.server.maxConnections = 128
  api.removeContentTypeParser('text/plain')
  const refuse = (error: Error, request: FastifyRequest, reply: FastifyReply) => {
    report(options, error, request)
    return sendProblem(reply, error)
  }
  api.setErrorHandler(refuse)
  api.setNotFoundHandler(() => {
    throw new RequestRefused(
      404,
      'not-found',
      'no such resource; there are /services, /routes, /upstreams, /plugins',
    )
  })
  api.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    checkAccess(request.headers, options.token)
  })
  addNodeResources(api, options)
  addExplanation(api, options)
  for (const collection of Object.keys(entitySchemas)) {
    addCollection(api, options, collection as Collection)
  }
  return api
}

function addNodeResources(api: FastifyInstance, { store, status, log }: AdminApiOptions): void {
  api.get('/', async () => ({ name: 'gatehouse', version, snapshot: store.current.snapshot.version }))
  api.get('/status', async () => status())
  api.get('/config', async () => store.current.loaded.shown)
  api.post('/config/reload', async (request) => {
    const before = store.current.snapshot.version
    const error = await store.reload({ always: true })
    if (error) throw error
    const { snapshot } = store.current
    log('info', 'configuration reloaded', { peer: request.ip, snapshot: snapshot.version })
    const { warnings } = store.current.loaded
    return { changed: snapshot.version !== before, snapshot: snapshot.version, warnings }
  })
}

const askedRequest = z.strictObject({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
})

/** POST /routes/explain `{method, url, headers}` says which route a request would take. */
function addExplanation(api: FastifyInstance, { store }: AdminApiOptions): void {
  api.post('/routes/explain', async (request) => {
    const asked = validate(askedRequest, objectOf(request.body))
    if (asked.success) return explainRoute(store.current.snapshot.routes, asked.data)
    const reasons = asked.problems.map(({ path, message }) => [...path, message].join(': '))
    throw new RequestRefused(400, 'malformed-request', reasons.join('\n'))
  })
}

type Named = FastifyRequest<{ Params: { id: string } }>

function addCollection(api: FastifyInstance, options: AdminApiOptions, collection: Collection): void {
  const { store, log } = options
  const changes = new EntityChanges(store.folder)
  const shown = () => store.current.loaded.shown
  /** Resolves with the entity as it is then, and with `warnings` that the change has brought, if there are any. */
  const change = async (
    request: FastifyRequest,
    what: string,
    id: string,
    edit: (contents: FolderContents) => FolderContents,
  ): Promise<Entity> => {
    let before: readonly Problem[] = []
    const brokenBefore = store.lastError instanceof ConfigurationError
    const next = await store
      .change((contents) => {
        before = store.current.loaded.warnings
        return edit(contents)
      })
      .catch((error) => {
        throw brokenBefore && error instanceof ConfigurationError ? filesAreBroken(error) : error
      })
    const fields = { peer: request.ip, change: what, entity: `${collection}/${id}` }
    log('info', 'configuration changed', { ...fields, snapshot: next.snapshot.version })
    if (what === 'delete') return {}
    const entity = getEntity(next.loaded.shown, collection, id)
    const warnings = warningsSince(before, next.loaded.warnings)
    return warnings.length > 0 ? { ...entity, warnings } : entity
  }

  api.get(`/${collection}`, async () => ({ data: listEntities(shown(), collection), next: null }))
  api.post(`/${collection}`, async (request, reply) => {
    const entity = objectOf(request.body)
    const id = entityId(collection, entity)
    const added = await change(request, 'add', id, (contents) => changes.add(contents, collection, entity))
    reply.code(201)
    return added
  })

  const path = `/${collection}/:id`
  api.get(path, async (request: Named) => getEntity(shown(), collection, request.params.id))
  api.put(path, async (request: Named, reply) => {
    const { id } = request.params
    const entity = objectOf(request.body)
    return change(request, 'put', id, (contents) => {
      reply.code(hasEntity(shown(), collection, id) ? 200 : 201)
      return changes.put(contents, collection, id, entity)
    })
  })
  api.patch(path, async (request: Named) => {
    const { id } = request.params
    const patch = objectOf(request.body)
    return change(request, 'patch', id, (contents) => changes.patch(contents, collection, id, patch))
  })
  api.delete(path, async (request: Named, reply) => {
    const { id } = request.params
    await change(request, 'delete', id, (contents) => changes.delete(contents, collection, id))
    reply.code(204)
  })
}

function objectOf(body: unknown): Entity {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Entity
  throw new RequestRefused(400, 'malformed-entity', 'the body must be a JSON object')
}

const filesAreBroken = ({ message }: ConfigurationError) =>
  new RequestRefused(409, 'files-invalid', `the files have problems already; mend them first:\n${message}`)

function report({ log }: AdminApiOptions, error: Error, request: FastifyRequest): void {
  const { status } = problemOf(error)
  const fields = { peer: request.ip, method: request.method, path: request.url.slice(0, longestId) }
  if (status >= 500) log('error', 'admin request failed', { ...fields, reason: error.stack ?? error.message })
  else if (status !== 404) log('warn', 'admin request refused', { ...fields, status, reason: error.message })
}

function sendProblem(reply: FastifyReply, error: Error): FastifyReply {
  const answer = problemOf(error)
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="gatehouse"')
  return reply.code(answer.status).type('application/problem+json').send(answer)
}
