import { isDeepStrictEqual } from 'node:util'
import { isMapping } from './merge.ts'
import { pluginId } from './plugin-id.ts'
import { type Collection, entitySchemas } from './schema.ts'
import { maskSecrets } from './secrets.ts'

/** One value that is other than before; undefined: not there. */
export interface FieldChange {
  /** Keys within the entity, such as `config.limit`; '' for the entity as a whole. */
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
}

/** An entity, or a setting of the node, that is other than before. */
export interface EntityChange {
  /** `services/orders`; a setting of the node is called by its key: `limits`. */
  readonly entity: string
  readonly change: 'add' | 'update' | 'delete'
  readonly fields: readonly FieldChange[]
}

/**
 * What is other in one configuration than in another; both as files say it (`LoadedConfiguration.shown`). Entities are
 * known by their names, so their order says nothing. Values stand as they are: mask them before they are shown.
 */
export function differences(before: unknown, after: unknown): EntityChange[] {
  const [from, to] = [parts(before), parts(after)]
  const names = [...new Set([...from.keys(), ...to.keys()])]
  return names.flatMap((entity): EntityChange[] => {
    const [old, now] = [from.get(entity), to.get(entity)]
    if (isDeepStrictEqual(old, now)) return []
    const change = old === undefined ? 'add' : now === undefined ? 'delete' : 'update'
    return [{ entity, change, fields: fieldChanges(old, now) }]
  })
}

function parts(shown: unknown): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const [key, value] of Object.entries(isMapping(shown) ? shown : {})) {
    if (!Object.hasOwn(entitySchemas, key) || !Array.isArray(value)) found.set(key, value)
    else for (const entity of value) found.set(`${key}/${entityName(key as Collection, entity)}`, entity)
  }
  return found
}

/** The id of an entity that was found right. */
export function entityName(collection: Collection, entity: unknown): string {
  const named = entity as Parameters<typeof pluginId>[0]
  return collection === 'plugins' ? pluginId(named) : named.name
}

function fieldChanges(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isMapping(before) || !isMapping(after)) {
    return [{ path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }]
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return keys.flatMap((key) => fieldChanges(before[key], after[key], path === '' ? key : `${path}.${key}`))
}

/** The same without secrets; that one was changed is still to be seen. */
export const maskedChanges = (changes: readonly EntityChange[]): EntityChange[] =>
  changes.map((change) => ({
    ...change,
    fields: change.fields.map(({ path, ...values }) => ({
      path,
      ...Object.fromEntries(
        Object.entries(values).map(([side, value]) => [side, unwrap(maskSecrets(wrap(path, value)), path)]),
      ),
    })),
  }))

/** A value below the keys that it is known by, as secrets are. */
const wrap = (path: string, value: unknown): unknown =>
  keysOf(path).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)

const unwrap = (value: unknown, path: string): unknown =>
  keysOf(path).reduce<unknown>((outer, key) => (outer as Record<string, unknown>)[key], value)

const keysOf = (path: string) => (path === '' ? [] : path.split('.'))
