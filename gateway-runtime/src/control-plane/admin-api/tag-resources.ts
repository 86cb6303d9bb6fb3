import type { FastifyInstance } from 'fastify'
import { type Collection, entitySchemas } from '../../config/index.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { EntityIndex } from './entity-index.ts'
import { type ListQuery, page } from './listing.ts'

/** Adds /tags and /tags/{tag}: which entity has which tag. */
export function addTagResources(api: FastifyInstance, { store }: AdminApiOptions): void {
  const tagged = () => {
    const index = EntityIndex.of(store.current.loaded)
    return (Object.keys(entitySchemas) as Collection[]).flatMap((collection) =>
      index.all(collection).flatMap(({ id, full }) => {
        const tags = (full.tags ?? []) as readonly string[]
        return tags.map((tag) => ({ entity_name: collection, entity_id: id, tag, id, tags: [tag] }))
      }),
    )
  }
  const list = (path: string, query: ListQuery, tag?: string) =>
    page(
      tagged()
        .filter((entry) => tag === undefined || entry.tag === tag)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      path,
      query,
      ({ entity_name, entity_id, tag }) => ({ entity_name, entity_id, tag }),
    )
  api.get('/tags', async ({ query }) => list('/tags', query as ListQuery))
  api.get('/tags/:tag', async ({ params, query }) => {
    const { tag } = params as { readonly tag: string }
    return list(`/tags/${encodeURIComponent(tag)}`, query as ListQuery, tag)
  })
}
