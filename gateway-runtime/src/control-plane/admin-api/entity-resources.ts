import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Collection, maskSecrets } from '../../config/index.ts'
import { mayChange } from './access.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { type Changed, changeEntities } from './changes.ts'
import { type Entity, objectOf } from './entities.ts'
import { EntityIndex, type EntityRecord } from './entity-index.ts'
import { etagOf } from './etag.ts'
import { type ListQuery, page } from './listing.ts'
import type { Nesting } from './nesting.ts'
import { get, type Plan, planAdd, planDelete, planPatch, planPut } from './plan.ts'
import { shapes } from './shapes/shapes.ts'

type Request = FastifyRequest<{ Params: { owner?: string; id: string }; Querystring: ListQuery }>

/** Adds `/services` and `/services/{id}`, or with an owner `/services/{owner}/routes` and what is below. */
export function addEntityResources(
  api: FastifyInstance,
  options: AdminApiOptions,
  collection: Collection,
  nesting?: Nesting,
): void {
  const resources = new EntityResources(options, collection, nesting)
  const path = nesting ? `/${nesting.owners}/:owner/${collection}` : `/${collection}`
  api.get(path, async (request: Request) => resources.list(request))
  api.post(path, (request: Request, reply) => resources.add(request, reply))
  api.get(`${path}/:id`, async (request: Request, reply) => resources.get(request, reply))
  api.put(`${path}/:id`, (request: Request, reply) => resources.put(request, reply))
  api.patch(`${path}/:id`, (request: Request, reply) => resources.patch(request, reply))
  api.delete(`${path}/:id`, (request: Request, reply) => resources.delete(request, reply))
}

class EntityResources {
  readonly #options: AdminApiOptions
  readonly #collection: Collection
  readonly #nesting: Nesting | undefined

  constructor(options: AdminApiOptions, collection: Collection, nesting: Nesting | undefined) {
    this.#options = options
    this.#collection = collection
    this.#nesting = nesting
  }

  list(request: Request): object {
    const index = this.#index
    const owner = this.#ownerOf(request, index)
    const records = index
      .all(this.#collection)
      .filter(({ entity }) => !owner || entity[this.#nesting!.field] === owner.key)
      .filter(({ entity }) => matchesQuery(entity, request.query))
      .map((record) => ({ record, id: record.id, tags: tagsOf(record.full) }))
    const [path] = request.url.split('?')
    return page(records, path!, request.query, ({ record }) => this.#show(request, record, index))
  }

  get(request: Request, reply: FastifyReply): Entity {
    const index = this.#index
    const record = this.#within(request, index, get(index, this.#collection, request.params.id))
    reply.header('etag', etagOf(record.entity))
    return this.#show(request, record, index)
  }

  async add(request: Request, reply: FastifyReply): Promise<Entity> {
    return this.#change(request, reply, (index) =>
      planAdd(index, this.#collection, this.#body(request, index)),
    )
  }

  async put(request: Request, reply: FastifyReply): Promise<Entity> {
    return this.#change(request, reply, (index) =>
      planPut(index, this.#collection, request.params.id, this.#body(request, index)),
    )
  }

  async patch(request: Request, reply: FastifyReply): Promise<Entity> {
    return this.#change(request, reply, (index) => {
      const { key } = this.#within(request, index, get(index, this.#collection, request.params.id))
      return planPatch(index, this.#collection, key, objectOf(request.body))
    })
  }

  async delete(request: Request, reply: FastifyReply): Promise<void> {
    const current = this.#index.find(this.#collection, request.params.id)
    if (current || request.headers['if-match'] !== undefined) {
      await this.#apply(request, (index) => planDelete(index, this.#collection, request.params.id))
    }
    reply.code(204)
  }

  async #change(request: Request, reply: FastifyReply, make: (index: EntityIndex) => Plan): Promise<Entity> {
    const { plan, index, warnings } = await this.#apply(request, make)
    const record = index.find(this.#collection, plan.key!)!
    reply.code(plan.created ? 201 : 200).header('etag', etagOf(record.entity))
    const shown = this.#show(request, record, index)
    return warnings.length > 0 ? { ...shown, warnings } : shown
  }

  #apply(request: Request, make: (index: EntityIndex) => Plan): Promise<Changed> {
    const current = (index: EntityIndex) =>
      request.params.id === undefined ? undefined : index.find(this.#collection, request.params.id)?.entity
    return changeEntities(this.#options, request, make, current)
  }

  get #index(): EntityIndex {
    return EntityIndex.of(this.#options.store.current.loaded)
  }

  #body(request: Request, index: EntityIndex): Entity {
    const body = objectOf(request.body)
    const owner = this.#ownerOf(request, index)
    return owner ? { ...body, [this.#nesting!.field]: { id: owner.id } } : body
  }

  #ownerOf({ params }: Request, index: EntityIndex): EntityRecord | undefined {
    return this.#nesting && get(index, this.#nesting.owners, params.owner!)
  }

  /** What is of another owner is not there. */
  #within(request: Request, index: EntityIndex, record: EntityRecord): EntityRecord {
    const owner = this.#ownerOf(request, index)
    if (!owner || record.entity[this.#nesting!.field] === owner.key) return record
    return get(index, this.#collection, '')
  }

  #show({ principal }: FastifyRequest, record: EntityRecord, index: EntityIndex): Entity {
    const shown = showEntity(record, index, this.#options)
    return mayChange(principal, record.collection, record.entity) ? shown : maskSecrets(shown)
  }
}

/** An entity as the admin API shows it. */
export function showEntity(
  record: EntityRecord,
  index: EntityIndex,
  { times }: Pick<AdminApiOptions, 'times'>,
): Entity {
  const { nameKey, toApi } = shapes[record.collection]
  const { name } = record.entity
  const tags = tagsOf(record.full)
  return {
    id: record.id,
    // What was given no name is called by its id.
    ...(nameKey && { [nameKey]: name === record.id ? null : name }),
    ...toApi(record, index),
    tags: tags.length > 0 ? tags : null,
    ...times.of(record.id),
  }
}

const tagsOf = ({ tags }: Entity): readonly string[] => (Array.isArray(tags) ? tags : [])

const matchesQuery = (entity: Entity, { custom_id, name }: ListQuery): boolean =>
  (custom_id === undefined || entity.custom_id === custom_id) && (name === undefined || entity.name === name)
