import type { Collection } from '../../../config/index.ts'
import { isMapping } from '../../../config/merge.ts'
import type { Entity } from '../entities.ts'
import { partKinds } from '../parts.ts'
import type { Lookup } from '../shapes/shape.ts'
import { FieldRefused } from '../shapes/shape.ts'
import { shapes } from '../shapes/shapes.ts'

/** Whether a document is in the declarative format of Kong. */
export const isKongFormat = (document: Entity): boolean => document._format_version !== undefined

/** Where Kong nests credentials in a consumer, and what they are called in the admin API. */
const credentialKeys: Readonly<Record<string, string>> = {
  keyauth_credentials: 'key-auth',
  basicauth_credentials: 'basic-auth',
  hmacauth_credentials: 'hmac-auth',
  jwt_secrets: 'jwt',
  acls: 'acls',
}
const own = new Set<string>(['services', 'routes', 'upstreams', 'consumers', 'plugins', 'certificates'])
const about = new Set(['_format_version', '_transform', '_info', '_comment', '_workspace'])

/**
 * A configuration in the words of files, from Kong's declarative format: entities nested or not, references by name.
 * @throws FieldRefused for what this gateway does not do
 */
export function fromKongFormat(document: Entity): Entity {
  for (const [key, value] of Object.entries(document)) {
    if (own.has(key) || about.has(key) || (Array.isArray(value) && value.length === 0)) continue
    throw new FieldRefused(key, `this gateway has no ${key}`)
  }
  const flat = flatten(document)
  const lookup = lookupIn(flat)
  return Object.fromEntries(
    [...flat].map(([collection, list]) => [
      collection,
      list.map((entity) =>
        named(collection, { ...idOf(entity), ...shapes[collection].fromApi(entity, lookup, undefined) }),
      ),
    ]),
  )
}

const idOf = ({ id }: Entity): Entity => (typeof id === 'string' ? { id } : {})

/** What has no name is called by what it is for. */
function named(collection: Collection, { id, name, ...rest }: Entity): Entity {
  const usual =
    collection === 'certificates'
      ? (rest.hosts as string[] | undefined)?.[0]?.replace('*.', 'any.')
      : undefined
  const called = name ?? id ?? usual
  if (called === undefined) throw new FieldRefused(collection, 'give each entity a name or an id')
  return { ...(id !== undefined && { id }), name: called, ...rest }
}

function flatten(document: Entity): Map<Collection, Entity[]> {
  const flat = new Map<Collection, Entity[]>(
    ([...own] as Collection[]).map((collection) => [collection, listOf(document[collection])]),
  )
  const take = (collection: Collection, field: string) => {
    flat.set(
      collection,
      flat.get(collection)!.map((owner) => {
        const { routes, plugins, ...rest } = owner
        const reference = rest.id ?? rest.name ?? rest.username
        for (const [key, items] of Object.entries({ routes, plugins })) {
          flat.get(key as Collection)!.push(...listOf(items).map((item) => ({ ...item, [field]: reference })))
        }
        return rest
      }),
    )
  }
  take('services', 'service')
  take('routes', 'route')
  take('consumers', 'consumer')
  flat.set('consumers', flat.get('consumers')!.map(withCredentials))
  flat.set('certificates', flat.get('certificates')!.map(withNames))
  return flat
}

const listOf = (value: unknown): Entity[] => (Array.isArray(value) ? value.filter(isMapping) : [])

function withCredentials(consumer: Entity): Entity {
  return Object.entries(credentialKeys).reduce<Entity>((owner, [key, path]) => {
    const { [key]: given, ...rest } = owner
    if (given === undefined) return rest
    const kind = partKinds.find((kind) => kind.path === path)!
    const parts = listOf(given).map(({ id, tags, created_at, ...part }) => part)
    return kind.write(rest, [...kind.read(rest), ...parts])
  }, consumer)
}

function withNames({ snis, ...certificate }: Entity): Entity {
  const names = Array.isArray(snis) ? snis.map((sni) => (isMapping(sni) ? sni.name : sni)) : []
  return { ...certificate, snis: names }
}

function lookupIn(flat: ReadonlyMap<Collection, readonly Entity[]>): Lookup {
  return {
    find(collection, called) {
      const found = flat
        .get(collection)
        ?.find(({ id, name, username }) => [id, name, username].includes(called))
      const key = found?.name ?? found?.username ?? found?.id
      return key === undefined ? undefined : { id: String(found?.id ?? key), key: String(key) }
    },
  }
}
