import { z } from 'zod'
import { definePlugin } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'

/** Answers in the place of a service: for maintenance, or to end what is no longer served. */
export const requestTermination = definePlugin({
  name: 'request-termination',
  order: 150,
  description: 'Answers requests itself, with a status and a message: for maintenance.',
  config: z
    .strictObject({
      status_code: z.int().min(200).max(599).default(503),
      message: z.string().max(1_024).optional().describe('For people, in an application/problem+json body.'),
      body: z.string().max(1_048_576).optional().describe('In the place of such a body.'),
      content_type: z
        .string()
        .regex(/^[\x20-\x7e]+$/)
        .default('text/plain; charset=utf-8')
        .describe('Of `body`.'),
      retry_after: z.int().min(0).max(31_536_000).optional().describe('Seconds.'),
      trigger: headerNameSchema
        .optional()
        .describe('A header, or parameter of the query: only requests that have it are answered so.'),
    })
    .refine(({ message, body }) => message === undefined || body === undefined, {
      path: ['body'],
      message: 'say message or body, not both',
    }),
  examples: [{ message: 'Back at noon.', retry_after: 3_600 }],
  create(config) {
    const { status_code: status, trigger } = config
    const body = config.body === undefined ? undefined : Buffer.from(config.body)
    const reply = body
      ? { status, headers: [['content-type', config.content_type] as const], body }
      : { status, code: 'terminated', detail: config.message ?? 'This is not served at the moment.' }
    return {
      onRequest(exchange) {
        const { request } = exchange
        const isMeant =
          trigger === undefined ||
          request.header(trigger) !== undefined ||
          new URLSearchParams(request.query).has(trigger)
        if (!isMeant) return undefined
        if (config.retry_after !== undefined)
          exchange.setResponseHeader('retry-after', String(config.retry_after))
        return reply
      },
    }
  },
})
