import {
  type Collection,
  configurationSchema,
  entitySchemas,
  jsonSchemaOf,
  type z,
} from '../../config/index.ts'
import { version } from '../../version.ts'
import { singular } from './entities.ts'
import { nested } from './nesting.ts'
import { type Operation, operations } from './openapi-operations.ts'
import { partKinds } from './parts.ts'

type Schema = Readonly<Record<string, unknown>>

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: Schema) => ({ content: { 'application/json': { schema } } })
const problem = {
  description: 'What was wrong and what to do.',
  content: { 'application/problem+json': { schema: ref('problem') } },
}
const parameter = (name: string, description: string, where: 'query' | 'path' | 'header' = 'query') => ({
  name,
  in: where,
  required: where === 'path',
  description,
  schema: { type: 'string' },
})
const ifMatch = parameter(
  'if-match',
  'ETag of what is to be changed: 412 where it was changed since.',
  'header',
)
const paging = [
  parameter('size', 'Entities of a page: 1 to 1000; 100.'),
  parameter('offset', 'Where a page begins, as the one before said.'),
  parameter('tags', '`a,b`: with both tags; `a/b`: with one of them.'),
]

/** The admin API as an OpenAPI 3.1 document; schemas are those that requests are checked by. */
export function openApiDocument(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Gatehouse admin API', version },
    security: [{ token: [] }, { certificate: [] }],
    paths: {
      ...Object.assign({}, ...(Object.keys(entitySchemas) as Collection[]).map(collectionPaths)),
      ...Object.assign(
        {},
        ...partKinds.flatMap(({ owner, path, all }) => [
          listPaths(`/${owner}/{owner}/${path}`, 'part'),
          all === undefined ? {} : listPaths(`/${all}`, 'part'),
        ]),
        ...nested.map(([collection, { owners }]) =>
          listPaths(`/${owners}/{owner}/${collection}`, singular[collection]),
        ),
      ),
      ...configurationPaths,
      ...operationPaths,
    },
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        certificate: { type: 'mutualTLS' },
      },
      schemas: {
        ...Object.fromEntries(
          Object.entries(entitySchemas).map(([collection, schema]) => [
            singular[collection as Collection],
            schemaOf(schema),
          ]),
        ),
        part: { type: 'object', description: 'A target, server name, credential or group.' },
        configuration: schemaOf(configurationSchema),
        problem: problemSchema,
      },
    },
  }
}

const schemaOf = (schema: z.ZodType): Schema => {
  const { $schema, ...rest } = jsonSchemaOf(schema)
  return rest
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457, with the fields that clients of Kong read.',
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable, for programs.' },
    detail: { type: 'string', description: 'What was wrong and what to do.' },
    fields: { type: 'object', description: 'What is wrong, by field.' },
  },
}

const collectionPaths = (collection: Collection) => listPaths(`/${collection}`, singular[collection])

function listPaths(path: string, name: string): object {
  const owner = path.includes('{owner}') ? [parameter('owner', 'Id or name of the owner.', 'path')] : []
  const id = [...owner, parameter('id', 'Id or name.', 'path')]
  const one = { description: 'As it is now.', ...json(ref(name)) }
  const body = { requestBody: { required: true, ...json(ref(name)) } }
  const page = {
    type: 'object',
    properties: {
      data: { type: 'array', items: ref(name) },
      next: { type: ['string', 'null'] },
      offset: { type: 'string' },
    },
  }
  return {
    [path]: {
      get: {
        parameters: [...owner, ...paging],
        responses: { 200: { description: 'A page.', ...json(page) } },
      },
      post: { parameters: owner, ...body, responses: { 201: one, default: problem } },
    },
    [`${path}/{id}`]: {
      get: { parameters: id, responses: { 200: one, default: problem } },
      put: { parameters: [...id, ifMatch], ...body, responses: { 200: one, 201: one, default: problem } },
      patch: { parameters: [...id, ifMatch], ...body, responses: { 200: one, default: problem } },
      delete: {
        parameters: [...id, ifMatch],
        responses: { 204: { description: 'Gone.' }, default: problem },
      },
    },
  }
}

const anything = { description: 'What there is to say.', ...json({ type: 'object' }) }
const change = {
  parameters: [
    parameter('dry_run', 'Says what would change, and changes nothing.'),
    parameter('check_hash', '304 where nothing would change.'),
    ifMatch,
  ],
  responses: { 201: anything, 304: { description: 'Nothing is other.' }, default: problem },
}
const configurationPaths = {
  '/config': {
    get: { responses: { 200: { description: 'All of it.', ...json(ref('configuration')) } } },
    post: { ...change, requestBody: { required: true, ...json(ref('configuration')) } },
  },
  '/config/reload': { post: { responses: { 200: anything, default: problem } } },
  '/config/history': { get: { responses: { 200: anything } } },
  '/config/history/{id}/rollback': {
    post: { ...change, parameters: [parameter('id', 'Number of the entry.', 'path'), ...change.parameters] },
  },
}
/** Operations by path. */
const operationPaths = Object.fromEntries(
  [...Map.groupBy(operations, ({ path }) => path)].map(([path, own]) => [
    path,
    Object.fromEntries(own.map((operation) => [operation.method, describeOperation(operation)])),
  ]),
)

function describeOperation({ path, summary, body, status }: Operation): object {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const schema = body === 'any' ? { type: 'object' } : body && schemaOf(body)
  return {
    summary,
    parameters: names.map((name) => parameter(name, 'As it is called.', 'path')),
    ...(schema && { requestBody: { required: true, ...json(schema) } }),
    responses: { [status ?? 200]: status === 204 ? { description: 'Done.' } : anything, default: problem },
  }
}
