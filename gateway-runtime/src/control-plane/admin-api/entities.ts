import { type Collection, EntityNotFound, type Problem, pluginIdOf } from '../../config/index.ts'

/*
 * Entities as people and programs see them, and the changes that can be made to them. The admin API makes them on a
 * running gateway, gateway-cli on the files of one that is stopped.
 */

/** An entity as the files say it: references unresolved, defaults left out. Plugins have their `id` beside. */
export type Entity = Readonly<Record<string, unknown>>

/** An entity is named by others; they would be left without it. */
export class EntityInUse extends Error {
  override readonly name = 'EntityInUse'
  readonly code = 'entity-in-use'
}

/** What was given cannot be an entity of this name. */
export class EntityMalformed extends Error {
  override readonly name = 'EntityMalformed'
  readonly code = 'malformed-entity'
}

export const singular: Readonly<Record<Collection, string>> = {
  services: 'service',
  routes: 'route',
  upstreams: 'upstream',
  consumers: 'consumer',
  plugins: 'plugin',
  certificates: 'certificate',
}

/** What an entity is called: its name, or of a plugin the `pluginId`. */
export function entityId(collection: Collection, entity: Entity): string {
  const { name } = entity
  if (typeof name !== 'string')
    throw new EntityMalformed(`a ${singular[collection]} needs a name that is a text`)
  if (collection !== 'plugins') return name
  for (const key of ['route', 'service', 'consumer']) {
    if (entity[key] !== undefined && typeof entity[key] !== 'string')
      throw new EntityMalformed(`the ${key} of a plugin is given by its name`)
  }
  return pluginIdOf(entity)
}

/** The entities of a collection; `shown` is that of a loaded configuration. */
export function listEntities(shown: unknown, collection: Collection): Entity[] {
  const entities = (shown as Partial<Record<Collection, Entity[]>>)[collection] ?? []
  if (collection !== 'plugins') return entities
  return entities.map((plugin) => ({ ...plugin, id: entityId(collection, plugin) }))
}

/** @throws EntityNotFound */
export function getEntity(shown: unknown, collection: Collection, id: string): Entity {
  const found = findEntity(shown, collection, id)
  if (!found) throw new EntityNotFound(`there is no ${singular[collection]} ${JSON.stringify(id)}`)
  return found
}

/** Whether an entity of this name is there. */
export const hasEntity = (shown: unknown, collection: Collection, id: string): boolean =>
  findEntity(shown, collection, id) !== undefined

/** The entity of this name, if it is there. */
export const findEntity = (shown: unknown, collection: Collection, id: string) =>
  listEntities(shown, collection).find((entity) => entityId(collection, entity) === id)

/** The warnings that a change has brought: those that are not of before, wherever they stood then. */
export function warningsSince(before: readonly Problem[], now: readonly Problem[]): Problem[] {
  const known = new Set(before.map(({ message }) => message))
  return now.filter(({ message }) => !known.has(message))
}

/** An entity that names another by `name` in place of `old`. */
export function withRenamed(
  named: Collection,
  collection: Collection,
  entity: Entity,
  old: string,
  name: string,
): Entity {
  const paths = references[named].filter(([users]) => users === collection)
  return paths.reduce<Entity>(
    (value, [, path]) => renameAt(value, path.split('.'), old, name) as Entity,
    entity,
  )
}

function renameAt(value: unknown, [key, ...rest]: readonly string[], old: string, name: string): unknown {
  if (key === undefined) return value === old ? name : value
  if (Array.isArray(value)) return value.map((item) => renameAt(item, [key, ...rest], old, name))
  if (!isObject(value) || value[key] === undefined) return value
  return { ...value, [key]: renameAt(value[key], rest, old, name) }
}

/** Which keys of which collections name an entity of a collection. */
export const references: Readonly<Record<Collection, readonly (readonly [Collection, string])[]>> = {
  services: [
    ['routes', 'service'],
    ['routes', 'mirror.service'],
    ['routes', 'split.services.service'],
    ['plugins', 'service'],
  ],
  routes: [['plugins', 'route']],
  upstreams: [['services', 'upstream']],
  consumers: [['plugins', 'consumer']],
  plugins: [],
  certificates: [],
}

/** @throws EntityMalformed where the body of a request is no object */
export function objectOf(body: unknown): Entity {
  if (isObject(body)) return body
  throw new EntityMalformed('the body must be a JSON object')
}

/** RFC 7396: null removes a key. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
