import {
  addEntity,
  type Collection,
  deleteEntity,
  EntityNotFound,
  type FolderContents,
  loadConfiguration,
  type Problem,
  parsePluginId,
  pluginIdOf,
  putEntity,
} from '../../config/index.ts'

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
  return entities.map((plugin) => ({ id: entityId(collection, plugin), ...plugin }))
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

/**
 * Makes changes in the texts of a configuration folder, for `ConfigurationStore.change`. What they throw leaves all
 * as it was; whether the result is a right configuration is for the store to find out.
 */
export class EntityChanges {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws EntityExists, EntityMalformed */
  add(contents: FolderContents, collection: Collection, entity: Entity): FolderContents {
    const { id, ...own } = entity
    const expected = entityId(collection, own)
    if (id !== undefined) requireId(expected, id)
    return addEntity(contents, collection, own)
  }

  /** Adds or replaces; the name, and of a plugin its scope, may be left out. @throws EntityMalformed */
  put(contents: FolderContents, collection: Collection, id: string, entity: Entity): FolderContents {
    return putEntity(contents, collection, id, named(collection, id, entity))
  }

  /** Changes single keys, by RFC 7396: null removes one. @throws EntityNotFound, EntityMalformed */
  patch(contents: FolderContents, collection: Collection, id: string, patch: Entity): FolderContents {
    const merged = mergePatch(getEntity(this.shown(contents), collection, id), patch) as Entity
    return putEntity(contents, collection, id, named(collection, id, merged))
  }

  /** @throws EntityNotFound, EntityInUse */
  delete(contents: FolderContents, collection: Collection, id: string): FolderContents {
    const users = usersOf(this.shown(contents), collection, id)
    if (users.length > 0) {
      const advice = `change or delete ${users.length === 1 ? 'it' : 'them'} first`
      throw new EntityInUse(`${singular[collection]} ${id} is used by ${users.join(', ')}; ${advice}`)
    }
    return deleteEntity(contents, collection, id)
  }

  /** What texts say, if they are right. @throws ConfigurationError */
  shown(contents: FolderContents): unknown {
    return loadConfiguration(this.#folder, { contents }).shown
  }
}

/** Which keys of which collections name an entity of a collection. */
const references: Readonly<Record<Collection, readonly (readonly [Collection, string])[]>> = {
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

/** What stands under a path of keys, through lists. */
function valuesAt(value: unknown, [key, ...rest]: readonly string[]): unknown[] {
  if (key === undefined) return [value]
  const owners = Array.isArray(value) ? value : [value]
  return owners.flatMap((owner) => valuesAt((owner as Entity | undefined)?.[key], rest))
}

function usersOf(shown: unknown, collection: Collection, id: string): string[] {
  return references[collection].flatMap(([users, key]) =>
    listEntities(shown, users)
      .filter((user) => valuesAt(user, key.split('.')).includes(id))
      .map((user) => `${singular[users]} ${entityId(users, user)}`),
  )
}

/** The entity with the name that its id tells; renaming would tear it from those that name it. */
function named(collection: Collection, id: string, entity: Entity): Entity {
  const { id: given, ...own } = entity
  if (given !== undefined) requireId(id, given)
  const whole = { ...namesIn(collection, id), ...own }
  requireId(id, entityId(collection, whole))
  return whole
}

function namesIn(collection: Collection, id: string): Entity {
  if (collection !== 'plugins') return { name: id }
  const plugin = parsePluginId(id)
  if (plugin) return { ...plugin }
  throw new EntityMalformed(
    'a plugin is called global/PLUGIN, or route:NAME/PLUGIN, service:NAME/PLUGIN, consumer:NAME/PLUGIN',
  )
}

function requireId(id: string, given: unknown): void {
  if (given === id) return
  throw new EntityMalformed(`${id} cannot become ${String(given)}; add that as a new one, and delete this`)
}

/** @throws EntityMalformed where the body of a request is no object */
export function objectOf(body: unknown): Entity {
  if (isObject(body)) return body
  throw new EntityMalformed('the body must be a JSON object')
}

function mergePatch(target: unknown, patch: unknown): unknown {
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
