import type { z } from 'zod'
import { isAuthentication } from '../plugins/authentication-order.ts'
import { plugins } from '../plugins/registry.ts'
import type { Problem, ProblemList } from './configuration-error.ts'
import { checkCredentials } from './credential-checks.ts'
import { isMapping, type Merged } from './merge.ts'
import { suggestion } from './nearest.ts'
import { missingGroups, parseTemplate } from './path-template.ts'
import { pluginIdOf } from './plugin-id.ts'
import { isPattern, patternProblem } from './route-pattern.ts'
import { type Collection, configurationSchema, entitySchemas, listenerSchema } from './schema.ts'
import { validate } from './schema-problems.ts'
import type { Path, Place } from './yaml-document.ts'

/*
 * What a schema cannot say: names that must be there, or be there once. These checks read values that may be of any
 * type still, so that people see all that is wrong at once; wrong types are the schema's to report.
 */

/** A configuration as far as it is known: merged, with references resolved, before the schema. */
export interface CheckedValues {
  readonly value: unknown
  /** With `${env:}` and `${file:}` unresolved: what messages may quote. */
  readonly shown: unknown
  readonly place: Merged['place']
}

interface Entity {
  readonly collection: Collection
  readonly path: Path
  readonly value: Readonly<Record<string, unknown>>
  /** Undefined where it has none that is a text. */
  readonly id: string | undefined
}

type Entities = Readonly<Record<Collection, readonly Entity[]>>

/** Reports everything that is wrong between entities, and in the settings of plugins. */
export function checkReferences(
  values: CheckedValues,
  problems: ProblemList,
  { keyTexts }: { readonly keyTexts: boolean } = { keyTexts: false },
): void {
  const entities: Entities = {
    services: entitiesOf(values.value, 'services'),
    routes: entitiesOf(values.value, 'routes'),
    upstreams: entitiesOf(values.value, 'upstreams'),
    consumers: entitiesOf(values.value, 'consumers'),
    plugins: entitiesOf(values.value, 'plugins'),
    certificates: entitiesOf(values.value, 'certificates'),
  }
  const checks = new Checks(values, problems)
  for (const collection of Object.values(entities)) {
    checks.once(collection)
    checks.idOnce(collection)
  }
  checks.known(entities.routes, 'service', entities.services)
  checks.otherServices(entities.routes, entities.services)
  checks.known(entities.services, 'upstream', entities.upstreams)
  checks.known(entities.plugins, 'route', entities.routes)
  checks.known(entities.plugins, 'service', entities.services)
  checks.known(entities.plugins, 'consumer', entities.consumers)
  checks.credentials(entities.consumers)
  for (const upstream of entities.upstreams) checks.targets(upstream)
  for (const route of entities.routes) {
    checks.patterns(route)
    checks.templates(route)
    checks.stripPath(route)
  }
  for (const plugin of entities.plugins) checks.plugin(plugin)
  if (!keyTexts) for (const certificate of entities.certificates) checks.keyIsNoText(certificate)
  if (entities.certificates.length === 0) checks.haveCertificates()
  checks.proxiesAreTrusted()
  checks.addresses()
  checks.storeIsThere()
}

/** The entity that a path of the configuration leads into. */
export function entityAt(value: unknown, path: Path): Problem['entity'] {
  const [collection, index] = path
  if (typeof collection !== 'string' || !Object.hasOwn(entitySchemas, collection)) return undefined
  const list = isMapping(value) ? value[collection] : undefined
  const entity = Array.isArray(list) ? list[Number(index)] : undefined
  const name = isMapping(entity) ? idOf(collection as Collection, entity) : undefined
  return name === undefined ? undefined : { collection, name }
}

function entitiesOf(value: unknown, collection: Collection): Entity[] {
  const list = isMapping(value) ? value[collection] : undefined
  if (!Array.isArray(list)) return []
  return list.flatMap((item: unknown, index) =>
    isMapping(item) ? { collection, path: [collection, index], value: item, id: idOf(collection, item) } : [],
  )
}

function idOf(collection: Collection, entity: Readonly<Record<string, unknown>>): string | undefined {
  const { name } = entity
  if (typeof name !== 'string') return undefined
  return collection === 'plugins' ? pluginIdOf(entity) : name
}

class Checks {
  readonly #values: CheckedValues
  readonly #problems: ProblemList

  constructor(values: CheckedValues, problems: ProblemList) {
    this.#values = values
    this.#problems = problems
  }

  /** No two entities of a collection have one name. */
  once(entities: readonly Entity[]): void {
    const known = new Map<string, Entity>()
    for (const entity of entities) {
      if (entity.id === undefined) continue
      const first = known.get(entity.id)
      if (!first) known.set(entity.id, entity)
      else {
        this.#report([...entity.path, 'name'], () => {
          const where = standsAt(this.#values.place([...first.path, 'name']))
          return `duplicate ${describe(entity)}: it is defined in ${where} already`
        })
      }
    }
  }

  /** No two entities of a collection have one id. */
  idOnce(entities: readonly Entity[]): void {
    const known = new Map<unknown, Entity>()
    for (const entity of entities) {
      const { id } = entity.value
      if (id === undefined) continue
      const first = known.get(id)
      if (first) this.#report([...entity.path, 'id'], () => `${describe(first)} has this id already`)
      else known.set(id, entity)
    }
  }

  /** What an entity names under a key is there. */
  known(entities: readonly Entity[], key: string, targets: readonly Entity[]): void {
    const names = new Set(targets.flatMap(({ id }) => id ?? []))
    for (const entity of entities) {
      const name = entity.value[key]
      if (typeof name !== 'string' || names.has(name)) continue
      this.#report(
        [...entity.path, key],
        () => `no ${key} is called ${JSON.stringify(name)}${suggestion(name, names)}`,
      )
    }
  }

  /** The services that a route splits its requests over, or copies them to, are there. */
  otherServices(routes: readonly Entity[], services: readonly Entity[]): void {
    const inside = (route: Entity, ...keys: (string | number)[]): Entity[] => {
      const value = keys.reduce<unknown>(
        (owner, key) => (owner as Record<string | number, unknown> | undefined)?.[key],
        route.value,
      )
      return isMapping(value) ? [{ ...route, path: [...route.path, ...keys], value }] : []
    }
    const owners = routes.flatMap((route) => {
      const { split } = route.value
      const shares = isMapping(split) && Array.isArray(split.services) ? split.services : []
      return [
        ...inside(route, 'mirror'),
        ...shares.flatMap((_, index) => inside(route, 'split', 'services', index)),
      ]
    })
    this.known(owners, 'service', services)
  }

  /** What is not sent on as it came is not cut either: `strip_path` would have no effect. */
  stripPath({ path, value }: Entity): void {
    if (value.strip_path === undefined) return
    const [owner] = ['rewrite', 'redirect'].filter((key) => value[key] !== undefined)
    if (owner === undefined) return
    this.#report(
      [...path, 'strip_path'],
      () => `${owner} says the whole path itself: leave strip_path out`,
      'key',
    )
  }

  /** Groups that rewrite and redirect name are in every path of their route. */
  templates({ path, value }: Entity): void {
    const paths = Array.isArray(value.paths) ? value.paths.filter((text) => typeof text === 'string') : []
    if (paths.some((text) => isPattern(text) && patternProblem(text, text) !== undefined)) return
    const redirect = isMapping(value.redirect) ? value.redirect.path : undefined
    for (const [at, text] of [
      [[...path, 'rewrite'], value.rewrite],
      [[...path, 'redirect', 'path'], redirect],
    ] as const) {
      const template = typeof text === 'string' ? parseTemplate(text) : undefined
      const [missing] = template ? missingGroups(template, paths) : []
      if (missing === undefined) continue
      const group = /^\d/.test(missing) ? `$${missing}` : `$<${missing}>`
      this.#report([...at], () => `not every path of the route has a group ${group}`)
    }
  }

  targets({ path, value }: Entity): void {
    if (!Array.isArray(value.targets)) return
    const known = new Set<unknown>()
    for (const [index, item] of value.targets.entries()) {
      const target = isMapping(item) ? item.target : undefined
      if (target === undefined) continue
      if (known.has(target)) {
        this.#report([...path, 'targets', index, 'target'], () => 'this upstream has the same target already')
      }
      known.add(target)
    }
  }

  /** Regular expressions of paths, headers and query can be matched. */
  patterns({ path, value }: Entity): void {
    this.#patterns([...path, 'paths'], value.paths)
    for (const key of ['headers', 'query']) {
      const conditions = value[key]
      if (!isMapping(conditions)) continue
      for (const [name, values] of Object.entries(conditions)) this.#patterns([...path, key, name], values)
    }
  }

  #patterns(path: Path, texts: unknown): void {
    if (!Array.isArray(texts)) return
    for (const [index, text] of texts.entries()) {
      if (typeof text !== 'string' || !isPattern(text)) continue
      const at = [...path, index]
      const problem = patternProblem(text, String(this.#shown(at)))
      if (problem !== undefined) this.#report(at, () => problem)
    }
  }

  /** The plugin exists, and takes its settings. */
  plugin({ path, value }: Entity): void {
    const { name, config = {} } = value
    if (typeof name !== 'string') return
    const definition = plugins.get(name)
    if (!definition) {
      const known = [...plugins.keys()]
      return this.#report([...path, 'name'], () => {
        const advice = suggestion(name, known) || `; there are: ${known.join(', ')}`
        return `no plugin is called ${JSON.stringify(name)}${advice}`
      })
    }
    if (value.consumer !== undefined && isAuthentication(definition))
      this.#report(
        [...path, 'consumer'],
        () => `${name} finds out who the consumer is: it cannot belong to one`,
      )
    if (!isMapping(config)) return
    const shown = this.#shown([...path, 'config']) ?? {}
    const result = validate(definition.config, config, shown)
    if (result.success) return
    for (const problem of result.problems) {
      this.#report([...path, 'config', ...problem.path], () => problem.message, problem.at)
    }
  }

  credentials(consumers: readonly Entity[]): void {
    checkCredentials(consumers, (path, message, at) => this.#report(path, message, at))
  }

  /** A private key stands in a file: what stands in YAML is shown to whoever may see the configuration. */
  keyIsNoText({ path }: Entity): void {
    const key = this.#shown([...path, 'key'])
    if (typeof key !== 'string' || !key.includes('-----BEGIN')) return
    this.#report([...path, 'key'], () => 'a private key does not belong here; name its file in its place')
  }

  /** Every https listener has its own certificate, as there are no others. */
  haveCertificates(): void {
    const { listeners, acme } = this.#values.value as { listeners?: unknown; acme?: unknown }
    if (acme !== undefined) return
    for (const [index, listener] of (Array.isArray(listeners) ? listeners : []).entries()) {
      if (!isMapping(listener) || listener.protocol !== 'https' || listener.certificate !== undefined)
        continue
      const message =
        'an https listener needs certificate and key, or certificates to choose from by server name, or acme'
      this.#report(['listeners', index], () => message)
    }
  }

  /** Postgres is where it is said to be. */
  storeIsThere(): void {
    const { store, postgres } = this.#values.value as { store?: unknown; postgres?: unknown }
    if (store === 'postgres' && postgres === undefined)
      this.#report(['store'], () => 'store: postgres needs postgres, with its url')
    this.#certificateStoreIsThere()
  }

  #certificateStoreIsThere(): void {
    const { certificate_store: store, postgres, redis } = this.#values.value as Record<string, unknown>
    const kind = isMapping(store) ? store.kind : undefined
    const report = (needed: string) =>
      this.#report(['certificate_store', 'kind'], () => `a certificate store of kind ${kind} needs ${needed}`)
    if (kind === 'postgres' && postgres === undefined) report('postgres, with its url')
    if ((kind === 'redis' || kind === 'secrets-manager') && redis === undefined)
      report('redis, with servers of its cluster')
  }

  /** A listener that takes PROXY headers takes them from somebody. */
  proxiesAreTrusted(): void {
    const { listeners, trusted_proxies } = this.#values.value as Record<string, unknown>
    if (Array.isArray(trusted_proxies) ? trusted_proxies.length > 0 : trusted_proxies !== undefined) return
    for (const [index, listener] of (Array.isArray(listeners) ? listeners : []).entries()) {
      if (!isMapping(listener) || listener.proxy_protocol !== true) continue
      const message = 'proxy_protocol needs trusted_proxies: the addresses that PROXY headers are taken from'
      this.#report(['listeners', index, 'proxy_protocol'], () => message)
    }
  }

  /** No two sockets of the process are on one address. */
  addresses(): void {
    const known: Socket[] = []
    for (const socket of socketsOf(this.#values.value)) {
      const other = known.find((candidate) => collide(candidate, socket))
      if (other) {
        this.#report([...socket.path, 'port'], () => {
          const where = standsAt(this.#values.place([...other.path, 'port']))
          return `${socket.what} on port ${socket.port}, where ${other.what} is already (${where})`
        })
      }
      known.push(socket)
    }
  }

  #shown(path: Path): unknown {
    return path.reduce<unknown>(memberOf, this.#values.shown)
  }

  #report(path: Path, message: () => string, at: 'key' | 'value' = 'value'): void {
    const { value, place } = this.#values
    this.#problems.add(() => {
      const entity = entityAt(value, path)
      return { ...place(path, at), message: message(), ...(entity && { entity }) }
    })
  }
}

interface Socket {
  readonly what: string
  readonly path: Path
  readonly host: string
  readonly port: number
}

/** Listeners, admin and status, as far as each is right by itself. */
function socketsOf(value: unknown): Socket[] {
  if (!isMapping(value)) return []
  const { listeners, admin, status } = value
  const read = (schema: z.ZodType, what: string, path: Path, item: unknown): Socket[] => {
    const result = schema.safeParse(item)
    return result.success ? [{ ...(result.data as { host: string; port: number }), what, path }] : []
  }
  const { shape } = configurationSchema
  return [
    ...(Array.isArray(listeners) ? listeners : []).flatMap((item, index) =>
      read(listenerSchema, 'a listener', ['listeners', index], item),
    ),
    ...read(shape.admin, 'admin', ['admin'], admin),
    ...read(shape.status, 'status', ['status'], status),
  ]
}

const isWildcard = (host: string) => host === '0.0.0.0' || host === '::'

/** Listeners share a port with others on more specific addresses; admin and status do not. */
function collide(a: Socket, b: Socket): boolean {
  if (a.port !== b.port) return false
  if (a.host === b.host) return true
  const areListeners = a.path.length === 2 && b.path.length === 2
  return !areListeners && (isWildcard(a.host) || isWildcard(b.host))
}

const singular = {
  services: 'service',
  routes: 'route',
  upstreams: 'upstream',
  consumers: 'consumer',
  plugins: 'plugin',
  certificates: 'certificate',
} as const

function describe({ collection, value }: Entity): string {
  const name = `${singular[collection]} ${JSON.stringify(value.name)}`
  if (collection !== 'plugins') return name
  const scope = ['route', 'service', 'consumer'].filter((key) => typeof value[key] === 'string')
  const owners = scope.map((key) => `${key} ${JSON.stringify(value[key])}`)
  return `${name} for ${owners.join(' and ') || 'all routes'}`
}

const standsAt = ({ file, line, column }: Place) => `${file}:${line}:${column}`

const memberOf = (value: unknown, key: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined
