import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { definePlugin } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'

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
      const id = isKept ? given : config.generator === 'uuid' ? newUuid() : exchange.requestId
      if (!isKept) request.setHeader(config.header_name, id)
      if (config.echo_downstream) exchange.setResponseHeader(config.header_name, id)
      if (config.trace_context && !traceparent.test(request.header('traceparent') ?? '')) {
        request.setHeader('traceparent', newTraceparent())
        request.removeHeader('tracestate') // it belongs to a traceparent that was none
      }
      return undefined
    },
  }),
})

/** Version 4 (RFC 9562 section 5.4). */
function newUuid(): string {
  const digits = randomHex(32)
  const variant = '89ab'[Number.parseInt(digits[16]!, 16) & 3]
  return (
    `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-` +
    `${variant}${digits.slice(17, 20)}-${digits.slice(20)}`
  )
}

/** Not sampled: nobody records it here. */
const newTraceparent = (): string => `00-${randomHex(32)}-${randomHex(16)}-00`

const poolBytes = 4_096
let pool = ''
let used = 0

/** Random digits. They are taken many at a time from the system: each call of it costs a microsecond. */
function randomHex(digits: number): string {
  if (used + digits > pool.length) {
    pool = randomBytes(poolBytes).toString('hex')
    used = 0
  }
  used += digits
  return pool.slice(used - digits, used)
}
