import { z } from 'zod'
import { definePlugin } from '../contract.ts'

const periods = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

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
      .describe('What is counted apart: address, or API key (else address).'),
    api_key_header: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'expected a lower-case header name')
      .default('apikey'),
    memory: z
      .int()
      .min(65_536)
      .max(1_073_741_824)
      .default(16_777_216)
      .describe('Bytes for the counts of one node.'),
  }),
  sharedMemory: (config) => config.memory,
  create: () => ({}),
})
void periods
