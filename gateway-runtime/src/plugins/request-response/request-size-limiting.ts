import { z } from 'zod'
import { definePlugin, type Reply } from '../contract.ts'

const tooLarge: Reply = {
  status: 413,
  code: 'body-too-large',
  detail: 'The body of the request is larger than this takes.',
}
const noLength: Reply = {
  status: 411,
  code: 'length-required',
  detail: 'Say with Content-Length how long the body is.',
}

/** Limits what clients send, below `limits.body_bytes` of the gateway. */
export const requestSizeLimiting = definePlugin({
  name: 'request-size-limiting',
  order: 2000,
  description:
    'Answers 413 to requests with a body that is too large, at once where they say how long it is.',
  config: z.strictObject({
    allowed_payload_size: z
      .int()
      .min(0)
      .max(2 ** 40)
      .describe('Bytes.'),
    require_content_length: z
      .boolean()
      .default(false)
      .describe('Whether bodies that do not say how long they are get 411.'),
  }),
  examples: [{ allowed_payload_size: 1_048_576 }],
  counters: { refused: 'Requests that were refused for their size.' },
  create(config, gateway) {
    const refuse = (reply: Reply) => {
      gateway.count('refused')
      return reply
    }
    return {
      onRequest({ request }) {
        const { contentLength } = request
        if (contentLength === undefined) {
          if (config.require_content_length) return refuse(noLength)
          request.limitBody(config.allowed_payload_size)
          return undefined
        }
        return contentLength > config.allowed_payload_size ? refuse(tooLarge) : undefined
      },
    }
  },
})
