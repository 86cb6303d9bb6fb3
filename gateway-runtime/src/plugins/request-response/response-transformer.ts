import { Transform } from 'node:stream'
import { z } from 'zod'
import { definePlugin, type PluginResponse } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'
import {
  compileFieldOperations,
  fieldOperationsSchema,
  type NamedValues,
} from './transformer/field-operations.ts'
import {
  compileJsonOperations,
  hasNoJsonOperations,
  isJson,
  jsonOperationsSchema,
} from './transformer/json-operations.ts'

/** Changes answers of services on their way to the client. */
export const responseTransformer = definePlugin({
  name: 'response-transformer',
  order: 800,
  description: 'Changes headers and JSON body of answers on their way to the client.',
  config: z.strictObject({
    headers: fieldOperationsSchema(headerNameSchema),
    body: jsonOperationsSchema.describe('Of a JSON object; any other body stays as it is.'),
    max_body: z
      .int()
      .min(1)
      .max(67_108_864)
      .default(1_048_576)
      .describe('Bytes of a body that is changed; one that is longer stays as it is.'),
    status_codes: z
      .array(z.int().min(200).max(599))
      .max(100)
      .default([])
      .describe('Only of answers with one of these; none named: of all.'),
  }),
  examples: [{ headers: { add: { 'x-served-for': '{{consumer.name}}' } }, body: { remove: ['internal'] } }],
  create(config) {
    const changeHeaders = compileFieldOperations(config.headers)
    const changeBody = compileJsonOperations(config.body)
    const keepsBody = hasNoJsonOperations(config.body)
    return {
      onResponse(exchange, response) {
        if (config.status_codes.length > 0 && !config.status_codes.includes(response.status)) return
        changeHeaders(exchange, headersOf(response))
        const isPlain = (response.header('content-encoding') ?? 'identity') === 'identity'
        const isShort = (response.contentLength ?? 0) <= config.max_body
        if (
          keepsBody ||
          !response.hasBody ||
          !isShort ||
          !isPlain ||
          !isJson(response.header('content-type'))
        )
          return
        for (const name of [
          'etag',
          'content-md5',
          'digest',
          'content-digest',
          'repr-digest',
          'accept-ranges',
        ])
          response.removeHeader(name) // they are of the bytes that were
        response.pipe(wholeBody(config.max_body, (body) => changeBody(exchange, body) ?? body))
      },
    }
  },
})

const headersOf = (response: PluginResponse): NamedValues => ({
  get: (name) => response.header(name),
  set: (name, value) => response.setHeader(name, value.replace(/[^\t\x20-\x7e]/g, '?')),
  delete: (name) => response.removeHeader(name),
})

/** Changes a body as a whole; one of more than `limit` bytes passes as it is. */
function wholeBody(limit: number, change: (body: Buffer) => Buffer): Transform {
  let pieces: Buffer[] | undefined = []
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (!pieces) return done(null, chunk)
      pieces.push(chunk)
      if (size <= limit) return done()
      const held = Buffer.concat(pieces)
      pieces = undefined
      done(null, held)
    },
    flush(done) {
      if (pieces) this.push(change(Buffer.concat(pieces, size)))
      done()
    },
  })
}
