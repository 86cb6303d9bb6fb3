import { z } from 'zod'
import { definePlugin, type Exchange, type Reply } from '../contract.ts'
import { addressKey } from './client-key.ts'
import { SlidingWindows } from './sliding-window.ts'

const periods = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

const refusal: Reply = {
  status: 429,
  code: 'rate-limit-exceeded',
  detail: 'Too many requests: wait as many seconds as Retry-After says, then go on.',
}

/**
 * Limits by sliding windows, exact over all workers of a node. The answer says what is left in the RateLimit and
 * RateLimit-Policy fields (draft-ietf-httpapi-ratelimit-headers).
 */
export const rateLimiting = definePlugin({
  name: 'rate-limiting',
  order: 900,
  description: 'Lets so many requests of one client pass in any span of the period; answers 429 to the rest.',
  config: z.strictObject({
    limit: z.int().min(1).max(1_000_000_000).describe('Requests that pass in any span of one period.'),
    period: z.enum(['second', 'minute', 'hour', 'day']),
    by: z
      .enum(['ip', 'api-key'])
      .default('ip')
      .describe(
        'Who is counted apart: an address (of IPv6 the first 64 bits), or an API key and else an address.',
      ),
    api_key_header: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'expected a lower-case header name')
      .default('apikey')
      .describe('Where the API key stands, with by: api-key.'),
    memory: z
      .int()
      .min(65_536)
      .max(1_073_741_824)
      .default(16_777_216)
      .describe(
        'Bytes for the counts of one node: at 16 MiB some 31,000 clients, more with limits under 128.',
      ),
  }),
  examples: [{ limit: 1_000, period: 'second' }],
  sharedMemory: (config) => config.memory,
  create(config, gateway) {
    const period = periods[config.period]
    const windows = new SlidingWindows(gateway.sharedMemory!, config.limit, period)
    const policy = `"default";q=${config.limit};w=${period / 1_000}`
    const keyOf =
      config.by === 'ip'
        ? (exchange: Exchange) => addressKey(exchange.clientAddress)
        : (exchange: Exchange) => {
            const apiKey = exchange.request.header(config.api_key_header)
            return apiKey ? `key ${apiKey}` : addressKey(exchange.clientAddress)
          }
    return {
      onRequest(exchange) {
        const verdict = windows.take(keyOf(exchange))
        const wait = Math.ceil((verdict.retryAfter || period) / 1_000)
        exchange.addResponseHeader('ratelimit-policy', policy)
        exchange.addResponseHeader('ratelimit', `"default";r=${verdict.remaining};t=${wait}`)
        if (verdict.passes) return undefined
        exchange.addResponseHeader('retry-after', String(wait))
        return refusal
      },
    }
  },
})
