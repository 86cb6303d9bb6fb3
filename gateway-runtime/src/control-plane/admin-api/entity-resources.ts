import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  type Collection,
  ConfigurationError,
  type FolderContents,
  maskSecrets,
  type Problem,
} from '../../config/index.ts'
import { mayChange, requireScope } from './access.ts'
import type { AdminApiOptions } from './admin-api.ts'
import {
  type Entity,
  EntityChanges,
  entityId,
  findEntity,
  getEntity,
  hasEntity,
  listEntities,
  objectOf,
  warningsSince,
} from './entities.ts'
import { RequestRefused } from './problem.ts'

type Named = FastifyRequest<{ Params: { id: string } }>

/** A collection with its entities: list, get, add, put, patch and delete. */
export function addEntityResources(
  api: FastifyInstance,
  options: AdminApiOptions,
  collection: Collection,
): void {
  const { store, log } = options
  const changes = new EntityChanges(store.folder)
  const shown = () => store.current.loaded.shown
  const show = ({ principal }: FastifyRequest, entity: Entity): Entity =>
    mayChange(principal, collection, entity) ? entity : maskSecrets(entity)
  /** Resolves with the entity as it is then, and with `warnings` that the change has brought, if there are any. */
  const change = async (
    request: FastifyRequest,
    what: string,
    id: string,
    edit: (contents: FolderContents) => FolderContents,
  ): Promise<Entity> => {
    const { principal } = request
    let before: readonly Problem[] = []
    const brokenBefore = store.lastError instanceof ConfigurationError
    const { role, via, peer, name } = principal
    const author = { name, role, ...(via && { via }), ...(peer !== undefined && { peer }) }
    const next = await store
      .change(
        (contents) => {
          before = store.current.loaded.warnings
          const after = edit(contents)
          const entities = [shown(), changes.shown(after)].map((shown) => findEntity(shown, collection, id))
          requireScope(principal, collection, entities)
          return after
        },
        { author, request: `${request.method} /${collection}/${id}` },
      )
      .catch((error) => {
        throw brokenBefore && error instanceof ConfigurationError ? filesAreBroken(error) : error
      })
    const fields = { peer, caller: name, change: what, entity: `${collection}/${id}` }
    log('info', 'configuration changed', { ...fields, snapshot: next.snapshot.version })
    if (what === 'delete') return {}
    const entity = getEntity(next.loaded.shown, collection, id)
    const warnings = warningsSince(before, next.loaded.warnings)
    return warnings.length > 0 ? { ...entity, warnings } : entity
  }

  api.get(`/${collection}`, async (request) => ({
    data: listEntities(shown(), collection).map((entity) => show(request, entity)),
    next: null,
  }))
  api.post(`/${collection}`, async (request, reply) => {
    const entity = objectOf(request.body)
    const id = entityId(collection, entity)
    const added = await change(request, 'add', id, (contents) => changes.add(contents, collection, entity))
    reply.code(201)
    return added
  })

  const path = `/${collection}/:id`
  api.get(path, async (request: Named) => show(request, getEntity(shown(), collection, request.params.id)))
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

const filesAreBroken = ({ message }: ConfigurationError) =>
  new RequestRefused(409, 'files-invalid', `the files have problems already; mend them first:\n${message}`)
