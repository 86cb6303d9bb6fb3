import { isDeepStrictEqual } from 'node:util'
import {
  type Collection,
  type EntityEdit,
  EntityExists,
  EntityNotFound,
  entityName,
  entitySchemas,
  parsePluginId,
  z,
} from '../../config/index.ts'
import { isMapping } from '../../config/merge.ts'
import {
  type Entity,
  EntityInUse,
  EntityMalformed,
  entityId,
  mergePatch,
  references,
  singular,
  withRenamed,
} from './entities.ts'
import type { EntityIndex, EntityRecord } from './entity-index.ts'
import { derivedId, isUuid } from './ids.ts'
import { shapes } from './shapes/shapes.ts'

/*
 * What a request for an entity means for the entities of a configuration. Nothing is changed here, and whether the
 * result is a right configuration is for the store to find out.
 */

/** A change of entities, and which of them it was asked for. */
export interface Plan {
  readonly edits: readonly EntityEdit[]
  /** What the entity is called afterwards; undefined: it is gone. */
  readonly key?: string
  readonly created: boolean
}

/** Adds an entity that is not there yet. @throws EntityExists, EntityMalformed, RequestRefused */
export function planAdd(index: EntityIndex, collection: Collection, body: Entity): Plan {
  const { id } = body
  const given = typeof id === 'string' && isUuid(id) ? id.toLowerCase() : undefined
  if (given !== undefined && index.find(collection, given)) throw exists(collection, `id="${given}"`)
  return addition(index, collection, body, given)
}

/** Makes an entity what the body says, whatever it was. @throws EntityExists, EntityMalformed, RequestRefused */
export function planPut(index: EntityIndex, collection: Collection, called: string, body: Entity): Plan {
  const found = index.find(collection, called)
  if (found) return replacement(index, found, entityOf(index, collection, body, found), found.entity)
  if (isUuid(called)) return addition(index, collection, body, called.toLowerCase())
  return addition(index, collection, { ...body, ...sameNames(collection, called, body) }, undefined)
}

/** Changes single keys, by RFC 7396: null removes one. @throws EntityNotFound, EntityMalformed, RequestRefused */
export function planPatch(index: EntityIndex, collection: Collection, called: string, patch: Entity): Plan {
  const found = get(index, collection, called)
  const removed = Object.keys(patch).filter((key) => patch[key] === null)
  const given = translated(index, collection, merged(found, patch), found)
  const left = Object.entries(found.entity).filter(([key]) => !removed.includes(key))
  const before = replaced(collection, Object.fromEntries(left), given)
  return replacement(index, found, { ...before, ...given }, found.entity)
}

/** Removes an entity, and the plugins that are for it alone. @throws EntityInUse */
export function planDelete(index: EntityIndex, collection: Collection, called: string): Plan {
  const found = index.find(collection, called)
  if (!found) return { edits: [], created: false }
  const users = usersOf(index, found)
  const others = users.filter(({ collection }) => collection !== 'plugins')
  if (others.length > 0) {
    const names = others.map((user) => `${singular[user.collection]} ${user.key}`)
    const advice = `change or delete ${names.length === 1 ? 'it' : 'them'} first`
    throw new EntityInUse(`${singular[collection]} ${found.key} is used by ${names.join(', ')}; ${advice}`)
  }
  return { edits: [found, ...users].map(removal), created: false }
}

/** @throws EntityNotFound */
export function get(index: EntityIndex, collection: Collection, called: string): EntityRecord {
  const found = index.find(collection, called)
  if (found) return found
  throw new EntityNotFound(`there is no ${singular[collection]} ${JSON.stringify(called)}`)
}

const removal = ({ collection, key }: EntityRecord): EntityEdit => ({
  collection,
  id: key,
  entity: undefined,
})

function addition(index: EntityIndex, collection: Collection, body: Entity, id: string | undefined): Plan {
  const entity = entityOf(index, collection, body, undefined)
  const named = 'name' in entity || id === undefined ? entity : { name: id, ...entity }
  const { name, ...rest } = named as Entity & { readonly name?: unknown }
  const key = entityId(collection, named)
  if (index.find(collection, key)) throw exists(collection, collection === 'plugins' ? key : `name="${key}"`)
  const isOwn = id !== undefined && id !== derivedId(collection, key)
  const whole = { ...(isOwn && { id }), name, ...withoutDefaults(collection, rest, {}) }
  return { edits: [{ collection, id: key, entity: whole }], key, created: true }
}

/** What a body says of an entity, in the words of files; without an id. */
function entityOf(
  index: EntityIndex,
  collection: Collection,
  body: Entity,
  found: EntityRecord | undefined,
): Entity {
  const { name } = found?.entity ?? {}
  return { ...(name !== undefined && { name }), ...translated(index, collection, body, found) }
}

function translated(
  index: EntityIndex,
  collection: Collection,
  body: Entity,
  found: EntityRecord | undefined,
): Entity {
  const { id, created_at, updated_at, warnings, ...own } = body
  return shapes[collection].fromApi(own, index, found?.entity)
}

/** A patch of a mapping changes single keys of it; lists and all else are replaced. */
function merged({ entity }: EntityRecord, patch: Entity): Entity {
  return Object.fromEntries(
    Object.entries(patch).map(([key, value]) => [
      key,
      isMapping(value) && isMapping(entity[key]) ? mergePatch(entity[key], value) : value,
    ]),
  )
}

/** A service has one place: that by parts takes the room of the url, and the other way round. */
function replaced(collection: Collection, before: Entity, given: Entity): Entity {
  const ways = ['url', 'upstream', 'host', 'port', 'protocol', 'path']
  const isMoved =
    collection === 'services' && ['url', 'upstream', 'host'].some((key) => given[key] !== undefined)
  if (!isMoved) return before
  return Object.fromEntries(Object.entries(before).filter(([key]) => !ways.includes(key)))
}

function replacement(index: EntityIndex, found: EntityRecord, entity: Entity, before: Entity): Plan {
  const { collection, key: oldKey } = found
  const key = entityId(collection, entity)
  const isRenamed = key !== oldKey
  if (isRenamed && index.find(collection, key)) throw exists(collection, `"${key}"`)
  // Another name would derive another id: it is written down from now on.
  const id = before.id ?? (isRenamed ? found.id : undefined)
  const { id: _, name, ...rest } = entity
  const whole = { ...(id !== undefined && { id }), name, ...withoutDefaults(collection, rest, before) }
  const edit: EntityEdit = { collection, id: oldKey, entity: ordered(whole, before) }
  return { edits: isRenamed ? [edit, ...renames(index, found, key)] : [edit], key, created: false }
}

/** Keys in the order that they stood in. */
function ordered(entity: Entity, before: Entity): Entity {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(entity)])]
  return Object.fromEntries(keys.flatMap((key) => (entity[key] === undefined ? [] : [[key, entity[key]]])))
}

/** Those that name an entity name it anew. */
const renames = (index: EntityIndex, found: EntityRecord, name: string): EntityEdit[] =>
  usersOf(index, found).map(({ collection, key, entity }) => ({
    collection,
    id: key,
    entity: withRenamed(found.collection, collection, entity, found.key, name),
  }))

function usersOf(index: EntityIndex, { collection, key }: EntityRecord): EntityRecord[] {
  const users = references[collection].flatMap(([users, path]) =>
    index.all(users).filter(({ entity }) => valuesAt(entity, path.split('.')).includes(key)),
  )
  return [...new Set(users)]
}

/** What stands under a path of keys, through lists. */
function valuesAt(value: unknown, [key, ...rest]: readonly string[]): unknown[] {
  if (key === undefined) return [value]
  const owners = Array.isArray(value) ? value : [value]
  return owners.flatMap((owner) => valuesAt((owner as Entity | undefined)?.[key], rest))
}

const exists = (collection: Collection, what: string) =>
  new EntityExists(
    `UNIQUE violation detected on '{${what}}': such a ${singular[collection]} is there already`,
  )

/** The keys that a path tells: a name, or of a plugin its scope. */
function namesIn(collection: Collection, called: string): Entity {
  if (collection !== 'plugins') return { name: called }
  const names = parsePluginId(called)
  if (names) return { ...names }
  const forms = 'global/PLUGIN, route:NAME/PLUGIN, service:NAME/PLUGIN or consumer:NAME/PLUGIN'
  throw new EntityMalformed(`a plugin is called by its id, or as ${forms}`)
}

/** The same, where the body says no others. @throws EntityMalformed */
function sameNames(collection: Collection, called: string, body: Entity): Entity {
  const names = namesIn(collection, called)
  const given = body.name ?? (collection === 'consumers' ? body.username : undefined)
  if (given === undefined || given === names.name) return names
  throw new EntityMalformed(`${called} cannot be added as ${String(given)}`)
}

/** What says no more than the default is left out, but where it stood so far. */
function withoutDefaults(collection: Collection, entity: Entity, before: Entity): Entity {
  const { shape } = entitySchemas[collection] as unknown as { readonly shape: Record<string, z.ZodType> }
  return Object.fromEntries(
    Object.entries(entity).filter(([key, value]) => {
      const schema = shape[key]
      if (Object.hasOwn(before, key) || !(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault))
        return true
      return !isDeepStrictEqual(value, schema.def.defaultValue)
    }),
  )
}

/** What an edit makes of an entity, by name. */
export const keyAfter = ({ collection, entity }: EntityEdit): string | undefined =>
  entity && entityName(collection, entity)
