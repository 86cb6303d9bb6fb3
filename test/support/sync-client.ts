import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type AdminAnswer, type AdminCall, callAdmin } from './admin-client.ts'

/*
 * A client of the admin API that makes a gateway say what a description says, by the calls that declarative tools for
 * Kong's admin API make: read all pages of every collection, fill in defaults by the schemas, compare, PUT what is
 * new or other by its id, DELETE what is not wanted, ten at once, in the order of their references.
 */

// biome-ignore lint/suspicious/noExplicitAny: entities are of many kinds
type Entity = Record<string, any>

/** Entities by name; references are names, too. */
export interface Description {
  readonly services?: readonly Entity[]
  readonly upstreams?: readonly Entity[]
  readonly targets?: readonly Entity[]
  readonly consumers?: readonly Entity[]
  readonly certificates?: readonly Entity[]
  readonly snis?: readonly Entity[]
  readonly routes?: readonly Entity[]
  readonly 'key-auths'?: readonly Entity[]
  readonly acls?: readonly Entity[]
  readonly plugins?: readonly Entity[]
}

type Kind = keyof Description

interface KindFacts {
  /** What makes an entity the same as another. */
  readonly key: (entity: Entity) => string
  readonly references: Readonly<Record<string, Kind>>
  readonly schema: string
  /** Below which collection it is written, and the last part of that path. */
  readonly below?: readonly [owner: string, field: string, path: string]
}

const scopes = ['service', 'route', 'consumer']
const refOf = (value: Entity | null | undefined) => value?.id ?? ''

const kinds: Readonly<Record<Kind, KindFacts>> = {
  services: { key: ({ name }) => name, references: {}, schema: 'services' },
  upstreams: { key: ({ name }) => name, references: {}, schema: 'upstreams' },
  consumers: { key: ({ username }) => username, references: {}, schema: 'consumers' },
  certificates: { key: ({ cert, key }) => `${cert}${key}`, references: {}, schema: 'certificates' },
  routes: { key: ({ name }) => name, references: { service: 'services' }, schema: 'routes' },
  targets: {
    key: ({ target, upstream }) => `${refOf(upstream)}/${target}`,
    references: { upstream: 'upstreams' },
    schema: 'targets',
    below: ['upstreams', 'upstream', 'targets'],
  },
  snis: { key: ({ name }) => name, references: { certificate: 'certificates' }, schema: 'snis' },
  'key-auths': {
    key: ({ key }) => key,
    references: { consumer: 'consumers' },
    schema: 'keyauth_credentials',
    below: ['consumers', 'consumer', 'key-auth'],
  },
  acls: {
    key: ({ group, consumer }) => `${refOf(consumer)}/${group}`,
    references: { consumer: 'consumers' },
    schema: 'acls',
    below: ['consumers', 'consumer', 'acls'],
  },
  plugins: {
    key: (plugin) => [plugin.name, ...scopes.map((scope) => refOf(plugin[scope]))].join('/'),
    references: { service: 'services', route: 'routes', consumer: 'consumers' },
    schema: 'plugins',
  },
}

/** In which order they are made; they are deleted the other way round. */
const ordered: readonly Kind[] = [
  ...['services', 'upstreams', 'consumers', 'certificates'],
  ...['routes', 'targets', 'snis', 'key-auths', 'acls', 'plugins'],
] as Kind[]

export interface Operation {
  readonly kind: Kind
  readonly entity: Entity
  readonly do: 'create' | 'update' | 'delete'
}

export class SyncClient {
  readonly #url: string
  readonly #token: string
  readonly #tag: string | undefined
  /** How many requests were sent. */
  requests = 0

  /** `tag`: only entities with it are looked at, and each that is made has it. */
  constructor(url: string, token: string, tag?: string) {
    this.#url = url
    this.#token = token
    this.#tag = tag
  }

  async call(path: string, call: AdminCall = {}): Promise<AdminAnswer> {
    this.requests++
    return callAdmin(`${this.#url}${path}`, { token: this.#token, ...call })
  }

  /** All that is there, by pages of `size`. */
  async dump(size = 1_000): Promise<Record<Kind, Entity[]>> {
    const lists = {} as Record<Kind, Entity[]>
    for (const kind of ordered) {
      if (kind !== 'targets') lists[kind] = await this.#list(`/${kind}`, size)
    }
    const targets = await Promise.all(
      lists.upstreams.map(({ id }) => this.#list(`/upstreams/${id}/targets`, size)),
    )
    lists.targets = targets.flat()
    return lists
  }

  /** What would have to be done. */
  async diff(wanted: Description): Promise<Operation[]> {
    const current = await this.dump()
    const ids = new Map<string, string>()
    const operations: Operation[] = []
    const gone: Operation[] = []
    for (const kind of ordered) {
      const { key, references } = kinds[kind]
      const there = new Map(current[kind].map((entity) => [key(entity), entity]))
      for (const entity of wanted[kind] ?? []) {
        const { as, ...resolved } = this.#resolve(entity, references, ids)
        const found = there.get(key(resolved))
        there.delete(key(resolved))
        const id = found?.id ?? randomUUID()
        ids.set(`${kind}/${as ?? resolved.name ?? resolved.username ?? key(resolved)}`, id)
        const complete = { ...(await this.#withDefaults(kind, resolved)), id }
        if (!found) operations.push({ kind, entity: complete, do: 'create' })
        else if (!isWithin(complete, found)) operations.push({ kind, entity: complete, do: 'update' })
      }
      for (const entity of there.values()) gone.unshift({ kind, entity, do: 'delete' })
    }
    return [...gone, ...operations]
  }

  #resolve(
    entity: Entity,
    references: Readonly<Record<string, Kind>>,
    ids: ReadonlyMap<string, string>,
  ): Entity {
    const resolved: Entity = { ...entity, ...this.#tags(entity) }
    for (const [field, owner] of Object.entries(references)) {
      if (resolved[field] !== undefined) resolved[field] = { id: ids.get(`${owner}/${resolved[field]}`) }
    }
    return resolved
  }

  /** Does it, and tells what it was. */
  async sync(wanted: Description): Promise<Operation[]> {
    const operations = await this.diff(wanted)
    for (const step of steps(operations)) await inParallel(10, step, (operation) => this.#perform(operation))
    return operations
  }

  async #perform({ kind, entity, do: what }: Operation): Promise<void> {
    const { below } = kinds[kind]
    const collection = below ? `/${below[0]}/${entity[below[1]].id}/${below[2]}` : `/${kind}`
    const path = `${collection}/${entity.id}`
    const answer = await (what === 'delete'
      ? this.call(path, { method: 'DELETE' })
      : this.call(path, { method: 'PUT', body: entity }))
    if (answer.status >= 300) {
      throw new Error(
        `${what} ${path}: ${answer.status} ${JSON.stringify(answer.body)} for ${JSON.stringify(entity)}`,
      )
    }
  }

  async #list(path: string, size: number): Promise<Entity[]> {
    const tags = this.#tag === undefined ? '' : `&tags=${this.#tag}`
    const all: Entity[] = []
    for (let offset = ''; ; ) {
      const { status, body } = await this.call(`${path}?size=${size}${tags}${offset}`)
      if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`)
      all.push(...body.data)
      if (body.offset === undefined) return all
      offset = `&offset=${encodeURIComponent(body.offset)}`
    }
  }

  #tags({ tags = [] }: Entity): Entity {
    const all = this.#tag === undefined ? tags : [...tags, this.#tag]
    return all.length > 0 ? { tags: all } : {}
  }

  readonly #schemas = new Map<string, Promise<Entity>>()

  async #withDefaults(kind: Kind, entity: Entity): Promise<Entity> {
    const defaults = await this.#defaults(`/schemas/${kinds[kind].schema}`)
    const complete = filled(defaults, entity)
    if (kind !== 'plugins') return complete
    return filled(await this.#defaults(`/schemas/plugins/${entity.name}`), complete)
  }

  #defaults(path: string): Promise<Entity> {
    const known = this.#schemas.get(path) ?? this.call(path).then(({ body }) => defaultsOf(body.fields))
    this.#schemas.set(path, known)
    return known
  }
}

function defaultsOf(fields: readonly Entity[]): Entity {
  return Object.fromEntries(
    fields.flatMap((field) => {
      const [[name, facts]] = Object.entries(field) as [[string, Entity]]
      if (facts.default !== undefined) return [[name, facts.default]]
      return facts.fields ? [[name, defaultsOf(facts.fields)]] : []
    }),
  )
}

const isMap = (value: unknown): value is Entity =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function filled(defaults: Entity, entity: Entity): Entity {
  const nested = Object.entries(defaults).map(([key, value]) => [
    key,
    isMap(value) && (entity[key] === undefined || isMap(entity[key]))
      ? filled(value, entity[key] ?? {})
      : value,
  ])
  const given = Object.entries(entity).filter(([key]) => !isMap(defaults[key]))
  return { ...Object.fromEntries(nested), ...Object.fromEntries(given) }
}

/** Whether all that is wanted is there. */
function isWithin(wanted: unknown, there: unknown): boolean {
  if (isMap(wanted)) {
    return isMap(there) && Object.entries(wanted).every(([key, value]) => isWithin(value, there[key]))
  }
  const sorted = (value: unknown) => (Array.isArray(value) ? value.toSorted() : value)
  return isDeepStrictEqual(sorted(wanted), sorted(there))
}

/** Operations of one kind may run at once. */
const steps = (operations: readonly Operation[]): Operation[][] =>
  operations.reduce<Operation[][]>((steps, operation) => {
    const last = steps.at(-1)
    if (last?.[0]?.kind === operation.kind && last[0].do === operation.do) last.push(operation)
    else steps.push([operation])
    return steps
  }, [])

async function inParallel<Item>(count: number, items: readonly Item[], act: (item: Item) => Promise<void>) {
  const rest = [...items]
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item)
    }),
  )
}
