import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { maskSecrets } from '../../config/index.ts'
import { isMapping } from '../../config/merge.ts'
import { mayChange } from './access.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { changeEntities } from './changes.ts'
import { type Entity, EntityMalformed, objectOf } from './entities.ts'
import { EntityIndex, type EntityRecord } from './entity-index.ts'
import { etagOf } from './etag.ts'
import { type ListQuery, page } from './listing.ts'
import {
  findPart,
  getPart,
  type Part,
  type PartKind,
  partsOf,
  planAddPart,
  planDeletePart,
  planPatchPart,
  planPutPart,
  showPart,
} from './parts.ts'
import { get, type Plan } from './plan.ts'

type Request = FastifyRequest<{ Params: { owner?: string; id: string }; Querystring: ListQuery }>

/** Adds `/upstreams/{owner}/targets` and what is below, and, where there is one, the list over all owners. */
export function addPartResources(api: FastifyInstance, options: AdminApiOptions, kind: PartKind): void {
  const resources = new PartResources(options, kind)
  const nested = `/${kind.owner}/:owner/${kind.path}`
  for (const path of kind.all === undefined ? [nested] : [nested, `/${kind.all}`]) {
    api.get(path, async (request: Request) => resources.list(request))
    api.post(path, (request: Request, reply) => resources.add(request, reply))
    api.get(`${path}/:id`, async (request: Request, reply) => resources.get(request, reply))
    api.put(`${path}/:id`, (request: Request, reply) => resources.put(request, reply))
    api.patch(`${path}/:id`, (request: Request, reply) => resources.patch(request, reply))
    api.delete(`${path}/:id`, (request: Request, reply) => resources.delete(request, reply))
  }
}

class PartResources {
  readonly #options: AdminApiOptions
  readonly #kind: PartKind

  constructor(options: AdminApiOptions, kind: PartKind) {
    this.#options = options
    this.#kind = kind
  }

  list(request: Request): object {
    const index = this.#index
    const parts = partsOf(index, this.#kind, this.#ownerIn(request, index)).map((part) => {
      const { tags } = showPart(part)
      return { part, id: part.id, tags: Array.isArray(tags) ? tags : [] }
    })
    const [path] = request.url.split('?')
    return page(parts, path!, request.query, ({ part }) => this.#show(request, part))
  }

  get(request: Request, reply: FastifyReply): Entity {
    const index = this.#index
    const part = getPart(index, this.#kind, this.#ownerIn(request, index), request.params.id)
    reply.header('etag', etagOf(part.part))
    return this.#show(request, part)
  }

  async add(request: Request, reply: FastifyReply): Promise<Entity> {
    const body = await this.#bodyOf(request)
    return this.#change(request, reply, (index) =>
      planAddPart(index, this.#kind, this.#ownerOf(request, index), body),
    )
  }

  async put(request: Request, reply: FastifyReply): Promise<Entity> {
    const body = await this.#bodyOf(request)
    return this.#change(request, reply, (index) => {
      return planPutPart(index, this.#kind, this.#ownerOf(request, index), request.params.id, body)
    })
  }

  async patch(request: Request, reply: FastifyReply): Promise<Entity> {
    const body = await this.#bodyOf(request)
    return this.#change(request, reply, (index) => {
      return planPatchPart(index, this.#kind, this.#ownerOf(request, index), request.params.id, body)
    })
  }

  async delete(request: Request, reply: FastifyReply): Promise<void> {
    if (this.#find(request, this.#index) || request.headers['if-match'] !== undefined) {
      const make = (index: EntityIndex) =>
        planDeletePart(index, this.#kind, this.#ownerOf(request, index), request.params.id)
      await changeEntities(this.#options, request, make, (index) => this.#find(request, index)?.part)
    }
    reply.code(204)
  }

  async #change(request: Request, reply: FastifyReply, make: (index: EntityIndex) => Plan): Promise<Entity> {
    const current = (index: EntityIndex) => this.#find(request, index)?.part
    let owner = ''
    const makeOwned = (index: EntityIndex) => {
      const plan = make(index)
      owner = plan.edits[0]!.id
      return plan
    }
    const { plan, index, warnings } = await changeEntities(this.#options, request, makeOwned, current)
    const part = getPart(index, this.#kind, get(index, this.#kind.owner, owner), plan.key!)
    reply.code(plan.created ? 201 : 200).header('etag', etagOf(part.part))
    const shown = this.#show(request, part)
    return warnings.length > 0 ? { ...shown, warnings } : shown
  }

  async #bodyOf({ body }: Request): Promise<Entity> {
    const given = objectOf(body)
    return this.#kind.prepare?.(given) ?? given
  }

  get #index(): EntityIndex {
    return EntityIndex.of(this.#options.store.current.loaded)
  }

  #find(request: Request, index: EntityIndex): Part | undefined {
    const { id } = request.params
    return id === undefined ? undefined : findPart(index, this.#kind, this.#ownerIn(request, index), id)
  }

  /** The owner that the path names. */
  #ownerIn({ params }: Request, index: EntityIndex): EntityRecord | undefined {
    return params.owner === undefined ? undefined : get(index, this.#kind.owner, params.owner)
  }

  /** The owner that path, body or the part itself name. */
  #ownerOf(request: Request, index: EntityIndex): EntityRecord {
    const inPath = this.#ownerIn(request, index)
    if (inPath) return inPath
    const { owner, ownerField } = this.#kind
    const given = isMapping(request.body) ? request.body[ownerField] : undefined
    const called = isMapping(given) ? (given.id ?? given.name ?? given.username) : given
    if (typeof called === 'string') return get(index, owner, called)
    const found = this.#find(request, index)
    if (found) return found.owner
    throw new EntityMalformed(`say ${ownerField}, as {"id": …}`)
  }

  #show({ principal }: FastifyRequest, part: Part): Entity {
    const { owner } = part
    const { created_at } = this.#options.times.of(owner.id)
    const shown = { ...showPart(part), created_at }
    if (mayChange(principal, owner.collection, owner.entity)) return shown
    return (maskSecrets({ credentials: shown }) as { credentials: Entity }).credentials
  }
}
