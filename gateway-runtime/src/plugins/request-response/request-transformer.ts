import { z } from 'zod'
import { definePlugin, type PluginRequest } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'
import {
  compileFieldOperations,
  fieldOperationsSchema,
  hasNoOperations,
  type NamedValues,
} from './transformer/field-operations.ts'
import {
  compileJsonOperations,
  hasNoJsonOperations,
  isJson,
  jsonOperationsSchema,
} from './transformer/json-operations.ts'

/** Changes requests on their way to the service. */
export const requestTransformer = definePlugin({
  name: 'request-transformer',
  order: 801,
  description: 'Changes headers, query and JSON body of requests on their way to the service.',
  config: z.strictObject({
    headers: fieldOperationsSchema(headerNameSchema),
    query: fieldOperationsSchema(z.string().min(1).max(256)),
    body: jsonOperationsSchema.describe('Of a JSON object; any other body stays as it is.'),
    max_body: z
      .int()
      .min(1)
      .max(67_108_864)
      .default(1_048_576)
      .describe('Bytes of a body that is to be changed; 413 for more.'),
  }),
  examples: [
    {
      headers: { add: { 'x-tenant': '{{claim.tenant}}' }, remove: ['x-debug'] },
      query: { rename: { q: 'query' } },
      body: { add: { 'meta.request_id': '{{request.id}}' } },
    },
  ],
  create(config) {
    const changeHeaders = compileFieldOperations(config.headers)
    const changeQuery = compileFieldOperations(config.query)
    const changeBody = compileJsonOperations(config.body)
    const keepsQuery = hasNoOperations(config.query)
    const keepsBody = hasNoJsonOperations(config.body)
    return {
      onRequest(exchange) {
        const { request } = exchange
        changeHeaders(exchange, headersOf(request))
        if (!keepsQuery) {
          const query = new URLSearchParams(request.query)
          changeQuery(exchange, parametersOf(query))
          request.setQuery(query.size > 0 ? `?${query}` : '')
        }
        const isChanged = !keepsBody && request.contentLength !== 0 && isJson(request.header('content-type'))
        if (!isChanged) return undefined
        return request.body(config.max_body).then((body) => {
          const changed = changeBody(exchange, body)
          if (changed) request.replaceBody(changed)
          return undefined
        })
      },
    }
  },
})

const headersOf = (request: PluginRequest): NamedValues => ({
  get: (name) => request.header(name),
  set: (name, value) => request.setHeader(name, value.replace(/[^\t\x20-\x7e]/g, '?')),
  delete: (name) => request.removeHeader(name),
})

const parametersOf = (query: URLSearchParams): NamedValues => ({
  get: (name) => query.get(name) ?? undefined,
  set: (name, value) => query.set(name, value),
  delete: (name) => query.delete(name),
})
