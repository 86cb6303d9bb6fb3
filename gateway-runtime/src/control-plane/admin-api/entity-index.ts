import { type Collection, entityName, type LoadedConfiguration } from '../../config/index.ts'
import { isMapping } from '../../config/merge.ts'
import { remembered } from '../../config/remembered.ts'
import type { Entity } from './entities.ts'
import { derivedId, isUuid } from './ids.ts'

/** An entity of a configuration, with all that it is called. */
export interface EntityRecord {
  readonly collection: Collection
  /** UUID: its own, else the one derived from its name. */
  readonly id: string
  /** Its name, or of a plugin the `pluginId`. */
  readonly key: string
  /** As the files say it: references unresolved, defaults left out. */
  readonly entity: Entity
  /** The same with defaults. */
  readonly full: Entity
}

interface Records {
  /** By id, in its order: what pages of lists go by. */
  readonly all: readonly EntityRecord[]
  readonly byId: ReadonlyMap<string, EntityRecord>
  readonly byKey: ReadonlyMap<string, EntityRecord>
}

/** What an entity of a collection is called: its id and its key. */
const calledIn = (collection: Collection) =>
  remembered((entity: Entity) => {
    const key = entityName(collection, entity)
    return { key, id: typeof entity.id === 'string' ? entity.id : derivedId(collection, key) }
  })
const called: Readonly<Record<Collection, ReturnType<typeof calledIn>>> = {
  services: calledIn('services'),
  routes: calledIn('routes'),
  upstreams: calledIn('upstreams'),
  consumers: calledIn('consumers'),
  plugins: calledIn('plugins'),
  certificates: calledIn('certificates'),
}

const known = new WeakMap<LoadedConfiguration, EntityIndex>()

/** The entities of one configuration by their ids and names. */
export class EntityIndex {
  readonly loaded: LoadedConfiguration
  readonly #records = new Map<Collection, Records>()

  private constructor(loaded: LoadedConfiguration) {
    this.loaded = loaded
  }

  /** The same index for the same configuration. */
  static of(loaded: LoadedConfiguration): EntityIndex {
    const index = known.get(loaded) ?? new EntityIndex(loaded)
    known.set(loaded, index)
    return index
  }

  all(collection: Collection): readonly EntityRecord[] {
    return this.#of(collection).all
  }

  /** By UUID, or by what the entity is called. */
  find(collection: Collection, idOrKey: string): EntityRecord | undefined {
    const { byId, byKey } = this.#of(collection)
    return (isUuid(idOrKey) ? byId.get(idOrKey.toLowerCase()) : undefined) ?? byKey.get(idOrKey)
  }

  #of(collection: Collection): Records {
    const records = this.#records.get(collection) ?? this.#read(collection)
    this.#records.set(collection, records)
    return records
  }

  #read(collection: Collection): Records {
    const entities = ((this.loaded.shown as Readonly<Record<string, unknown>>)[collection] ?? []) as Entity[]
    const complete = this.loaded.configuration[collection] as readonly unknown[]
    const all = entities.map((entity, position): EntityRecord => {
      let full: Entity | undefined
      return {
        collection,
        ...called[collection](entity),
        entity,
        get full() {
          full ??= unresolved(complete[position], entity) as Entity
          return full
        },
      }
    })
    return {
      all: all.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      byId: new Map(all.map((record) => [record.id, record])),
      byKey: new Map(all.map((record) => [record.key, record])),
    }
  }
}

/** A value with its defaults, where texts with references such as `${env:NAME}` stand as they were written. */
function unresolved(resolved: unknown, written: unknown): unknown {
  if (typeof written === 'string' && (written.includes('${') || typeof resolved === 'string')) return written
  if (Array.isArray(resolved) && Array.isArray(written)) {
    return resolved.map((item, index) => unresolved(item, written[index]))
  }
  if (!isMapping(resolved) || !isMapping(written)) return resolved
  return Object.fromEntries(
    Object.entries(resolved).map(([key, value]) => [key, unresolved(value, written[key])]),
  )
}
