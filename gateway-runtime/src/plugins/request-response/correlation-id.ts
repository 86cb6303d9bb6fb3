import { z } from 'zod'
import { definePlugin, type PluginRequest } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'
import { RandomTexts } from './random-texts.ts'

const visible = /^[\x21-\x7e]{1,128}$/
// https://www.w3.org/TR/trace-context-1 section 3.2: version, trace id, parent id, flags; ids of zeros alone are none.
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/** Gives every request an id, and a trace, that services and logs can find each other by. */
export const correlationId = definePlugin({
  name: 'correlation-id',
  order: 2900,
  description:
    'Gives requests an id for the services behind the gateway, or passes on the one that they have.',
  config: z.strictObject({
    header_name: headerNameSchema.default('x-correlation-id'),
    generator: z
      .enum(['uuid', 'request-id'])
      .default('uuid')
      .describe(
        'Where no id is given: a random UUID, or the id that the gateway has for the request anyway.',
      ),
    trust_client: z
      .boolean()
      .default(true)
      .describe(
        'Whether an id that the client sends is taken over, where it is 1 to 128 visible characters.',
      ),
    echo_downstream: z.boolean().default(true).describe('Whether the answer has it too.'),
    trace_context: z
      .boolean()
      .default(true)
      .describe('Whether a request without a valid traceparent (W3C Trace Context) is given one.'),
  }),
  examples: [{ header_name: 'x-correlation-id', echo_downstream: true }],
  create: (config) => ({
    onRequest(exchange) {
      const { request } = exchange
      const given = request.header(config.header_name)
      const isKept = config.trust_client && given !== undefined && visible.test(given)
      const id = isKept ? given : config.generator === 'uuid' ? uuids.next() : exchange.requestId
      if (!isKept) request.setHeader(config.header_name, id)
      if (config.echo_downstream) exchange.setResponseHeader(config.header_name, id)
      if (config.trace_context && !hasTrace(request)) {
        request.setHeader('traceparent', traceparents.next())
        request.removeHeader('tracestate') // it belongs to a traceparent that was none
      }
      return undefined
    },
  }),
})

function hasTrace(request: PluginRequest): boolean {
  const given = request.header('traceparent')
  return given !== undefined && traceparent.test(given)
}

/** Version 4 (RFC 9562 section 5.4). */
const uuids = new RandomTexts('xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx')
/** Not sampled: nobody records it here. */
const traceparents = new RandomTexts(`00-${'x'.repeat(32)}-${'x'.repeat(16)}-00`)
