import type { FastifyInstance } from 'fastify'
import { type Collection, entitySchemas, jsonSchemaOf } from '../../config/index.ts'
import { isMapping } from '../../config/merge.ts'
import { validate } from '../../config/schema-problems.ts'
import { plugins } from '../../plugins/registry.ts'
import type { AdminApiOptions } from './admin-api.ts'
import { type Entity, objectOf } from './entities.ts'
import { EntityIndex } from './entity-index.ts'
import { aclKind, type PartKind, partKinds, sniKind, targetKind } from './parts.ts'
import { RequestRefused } from './problem.ts'
import { shapes } from './shapes/shapes.ts'

/*
 * Schemas in the form of Kong's: a list of fields, each with its type and default. Clients fill in defaults by them
 * before they compare what they want with what is there, so they say just what an entity without settings looks like.
 */

/** Adds /schemas/{entity}, /schemas/plugins/{name} and their validation. */
export function addSchemaResources(api: FastifyInstance, options: AdminApiOptions): void {
  const index = () => EntityIndex.of(options.store.current.loaded)
  api.get('/schemas/plugins/:name', async ({ params }) => pluginSchema(pluginOf(params)))
  api.get('/plugins/schema/:name', async ({ params }) => {
    const [config] = configFields(pluginOf(params)).filter((field) => 'config' in field)
    return config?.config ?? { fields: [] }
  })
  api.get('/schemas/:entity', async ({ params }) => {
    const { entity } = params as { readonly entity: string }
    if (isCollection(entity)) return entitySchema(entity, index())
    const part = parts[entity]
    if (part) return { fields: partFields(part) }
    throw new RequestRefused(404, 'entity-not-found', `No entity named '${entity}'`)
  })
  const role = 'viewer' as const
  api.post('/schemas/:entity/validate', { config: { role } }, async ({ params, body }) => {
    const { entity } = params as { readonly entity: string }
    if (!isCollection(entity))
      throw new RequestRefused(404, 'entity-not-found', `No entity named '${entity}'`)
    validateEntity(entity, objectOf(body), index())
    return { message: 'schema validation successful' }
  })
}

const isCollection = (name: string): name is Collection => Object.hasOwn(entitySchemas, name)

const parts: Readonly<Record<string, PartKind | undefined>> = {
  targets: targetKind,
  snis: sniKind,
  acls: aclKind,
  keyauth_credentials: partKinds.find(({ path }) => path === 'key-auth'),
  basicauth_credentials: partKinds.find(({ path }) => path === 'basic-auth'),
  hmacauth_credentials: partKinds.find(({ path }) => path === 'hmac-auth'),
  jwt_secrets: partKinds.find(({ path }) => path === 'jwt'),
}

type Field = Readonly<Record<string, Entity>>

function pluginOf(params: unknown) {
  const { name } = params as { readonly name: string }
  const plugin = plugins.get(name)
  if (plugin) return plugin
  throw new RequestRefused(404, 'entity-not-found', `No plugin named '${name}'`)
}

const pluginSchema = (plugin: ReturnType<typeof pluginOf>) => ({
  name: plugin.name,
  description: plugin.description,
  fields: [
    { protocols: { type: 'set', default: ['grpc', 'grpcs', 'http', 'https'], elements: { type: 'string' } } },
    ...configFields(plugin),
  ],
})

function configFields({ config }: ReturnType<typeof pluginOf>): Field[] {
  return [{ config: { ...recordOf(jsonSchemaOf(config)), required: true } }]
}

function recordOf(schema: Entity): Entity {
  const properties = isMapping(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required : []
  const fields = Object.entries(properties).map(([name, property]) => ({
    [name]: { ...fieldOf(property as Entity), ...(required.includes(name) && { required: true }) },
  }))
  return { type: 'record', fields }
}

const types: Readonly<Record<string, string>> = {
  object: 'map',
  string: 'string',
  boolean: 'boolean',
  number: 'number',
  integer: 'integer',
  array: 'array',
}

function fieldOf(schema: Entity): Entity {
  const { description, default: usual, enum: values } = schema
  const about = {
    ...(description !== undefined && { description }),
    ...(usual !== undefined && { default: usual }),
    ...(values !== undefined && { one_of: values }),
  }
  if (isMapping(schema.properties)) return { ...recordOf(schema), ...about }
  if (schema.type === 'array')
    return { type: 'array', elements: fieldOf((schema.items ?? {}) as Entity), ...about }
  const type = Array.isArray(schema.type) ? schema.type.at(-1) : schema.type
  return { type: types[String(type)] ?? 'string', ...about }
}

/** From what an entity without settings looks like in the admin API. */
function entitySchema(collection: Collection, index: EntityIndex): object {
  const shape = shapes[collection]
  const minimal = { name: 'x', ...shape.minimal }
  const full = entitySchemas[collection].safeParse(minimal).data ?? minimal
  const record = { collection, id: '', key: 'x', entity: minimal, full: full as Entity }
  const shown = shape.toApi(record, index)
  const descriptions = jsonSchemaOf(entitySchemas[collection]).properties as Readonly<Record<string, Entity>>
  const given = new Set(Object.keys(shape.minimal))
  return {
    fields: [
      { id: { type: 'string', uuid: true, auto: true } },
      { created_at: { type: 'integer', timestamp: true, auto: true } },
      { updated_at: { type: 'integer', timestamp: true, auto: true } },
      ...(shape.nameKey ? [{ [shape.nameKey]: { type: 'string', unique: true } }] : []),
      ...Object.entries(shown).map(([key, value]) => ({
        [key]: described(given.has(key) || key === 'name' ? null : value, descriptions[key]),
      })),
      { tags: { type: 'set', elements: { type: 'string' } } },
    ],
  }
}

function described(value: unknown, schema: Entity | undefined): Entity {
  const field = schema ? fieldOf(schema) : {}
  const { description, one_of } = field
  const about = { ...(description !== undefined && { description }), ...(one_of !== undefined && { one_of }) }
  if (isMapping(value) && Object.keys(value).length > 0) {
    return {
      ...about,
      type: 'record',
      fields: Object.entries(value).map(([key, inner]) => ({ [key]: described(inner, undefined) })),
    }
  }
  const isEmpty = value === null || (Array.isArray(value) && value.length === 0)
  if (isEmpty) return { ...about, type: field.type ?? 'string' }
  return { ...about, type: typeOf(value), default: value }
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value === 'object' ? 'map' : typeof value
}

const partFields = ({ key, ownerField, defaults = {} }: PartKind): Field[] => [
  { id: { type: 'string', uuid: true, auto: true } },
  { created_at: { type: 'number', timestamp: true, auto: true } },
  { [key]: { type: 'string', required: true } },
  { [ownerField]: { type: 'foreign', reference: `${ownerField}s`, required: true } },
  ...Object.entries(defaults).map(([name, value]) => ({ [name]: { type: typeOf(value), default: value } })),
  { tags: { type: 'set', elements: { type: 'string' } } },
]

/** @throws RequestRefused with every field that is wrong */
function validateEntity(collection: Collection, body: Entity, index: EntityIndex): void {
  const { id, created_at, updated_at, ...given } = body
  const own = shapes[collection].fromApi(given, index, undefined)
  const named = own.name === undefined ? { ...own, name: 'unnamed' } : own
  const checked = validate(entitySchemas[collection], named)
  const problems = checked.success ? pluginProblems(collection, named) : checked.problems
  if (problems.length === 0) return
  const fields = Object.fromEntries(
    problems.map(({ path, message }) => [path.join('.') || '@entity', message]),
  )
  const text = Object.entries(fields).map(([field, message]) => `${field}: ${String(message)}`)
  throw new RequestRefused(400, 'schema-violation', `schema violation (${text.join('; ')})`, fields)
}

function pluginProblems(
  collection: Collection,
  entity: Entity,
): readonly { path: readonly PropertyKey[]; message: string }[] {
  if (collection !== 'plugins') return []
  const plugin = plugins.get(String(entity.name))
  if (!plugin) return [{ path: ['name'], message: `no plugin is called ${JSON.stringify(entity.name)}` }]
  const checked = validate(plugin.config, entity.config ?? {})
  return checked.success
    ? []
    : checked.problems.map(({ path, message }) => ({ path: ['config', ...path], message }))
}
