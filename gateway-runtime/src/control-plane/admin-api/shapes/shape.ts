import { isDeepStrictEqual } from 'node:util'
import type { Collection } from '../../../config/index.ts'
import { isMapping } from '../../../config/merge.ts'
import type { Entity } from '../entities.ts'
import type { EntityIndex, EntityRecord } from '../entity-index.ts'
import { RequestRefused } from '../problem.ts'

/*
 * The admin API speaks of entities as Kong's does; files say them in words of their own. A shape is the way there and
 * back. Both ways take the words of files, too: what they have beyond Kong's stays as it is.
 */

/** What finds entities by id or name. */
export interface Lookup {
  find(collection: Collection, called: string): Pick<EntityRecord, 'id' | 'key'> | undefined
}

/** How entities of a collection look in the admin API. */
export interface Shape {
  /** What they are called by. */
  readonly nameKey: 'name' | 'username' | undefined
  /** All but ids, name, tags and times. */
  toApi(record: EntityRecord, index: EntityIndex): Entity
  /**
   * An entity in the words of files.
   * @param existing - what it replaces
   * @throws RequestRefused for what cannot be said in them
   */
  fromApi(body: Entity, index: Lookup, existing: Entity | undefined): Entity
  /** What a minimal entity is, beyond its name: from it come the defaults that schemas tell. */
  readonly minimal: Entity
}

/** A field that says what the gateway does not do. */
export class FieldRefused extends RequestRefused {
  constructor(field: string, reason: string) {
    super(400, 'schema-violation', `${field}: ${reason}`, { [field]: reason })
  }
}

/**
 * Takes away fields that Kong has and this gateway has no choice in.
 * @throws FieldRefused where one says something other than what is so in any case
 */
export function withoutFixed(body: Entity, fixed: Entity): Entity {
  return Object.fromEntries(
    Object.entries(body).filter(([key, value]) => {
      if (!Object.hasOwn(fixed, key)) return true
      if (value === null || isSame(value, fixed[key]) || isEmpty(value)) return false
      throw new FieldRefused(key, `this gateway knows ${JSON.stringify(fixed[key])} only`)
    }),
  )
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0

const isSame = (a: unknown, b: unknown) =>
  Array.isArray(a) && Array.isArray(b)
    ? isDeepStrictEqual(a.toSorted(), b.toSorted())
    : isDeepStrictEqual(a, b)

/** What has no value is not there. */
export const withoutNulls = (body: Entity): Entity =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined))

/** A list, or null where it is empty, as Kong has it. */
export const listOrNull = (value: unknown): unknown =>
  Array.isArray(value) && value.length > 0 ? value : null

/** What files say beyond what is shown under a name of Kong's. */
export const others = (entity: Entity, shown: readonly string[]): Entity =>
  Object.fromEntries(Object.entries(entity).filter(([key]) => !shown.includes(key)))

/** How an entity refers to another: `{id}`, or null for none. */
export function reference(index: EntityIndex, collection: Collection, name: unknown): Entity | null {
  if (typeof name !== 'string') return null
  return { id: index.find(collection, name)?.id ?? name }
}

/**
 * The name of an entity that is referred to by `{id}`, `{name}`, `{username}`, or by its id or name alone.
 * @throws FieldRefused where none has the id
 */
export function referredName(
  index: Lookup,
  collection: Collection,
  field: string,
  value: unknown,
): string | undefined {
  if (value === null || value === undefined) return undefined
  const given = isMapping(value) ? (value.id ?? value.name ?? value.username) : value
  if (typeof given !== 'string') throw new FieldRefused(field, 'expected {"id": …} or {"name": …}')
  const found = index.find(collection, given)
  if (!found && isMapping(value) && value.id !== undefined) {
    throw new FieldRefused(field, `the foreign key '{id="${given}"}' does not reference an existing entity`)
  }
  return found?.key ?? given
}
