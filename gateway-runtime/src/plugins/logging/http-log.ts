import type { Agent } from 'undici'
import { z } from 'zod'
import { headerNameSchema, headerValueSchema } from '../request-response/header-schema.ts'
import { defineLogPlugin } from './log-plugin.ts'

/** Batches of lines as the bodies of requests. */
export const httpLog = defineLogPlugin({
  name: 'http-log',
  order: 12,
  description: 'Sends a line of JSON for each request to an HTTP server, many in one body.',
  shape: {
    http_endpoint: z
      .url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' })
      .describe('Where they are sent.'),
    method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
    headers: z
      .record(headerNameSchema, headerValueSchema)
      .default({})
      .describe(
        'More headers, such as authorization; secrets come in by reference to the environment or a file.',
      ),
    format: z.enum(['ndjson', 'json']).default('ndjson').describe('A line each, or one array.'),
    timeout: z.int().min(100).max(60_000).default(10_000).describe('Milliseconds for an answer.'),
  },
  examples: [{ http_endpoint: 'https://logs.example.com/ingest' }],
  open({ http_endpoint, method, headers, format, timeout }) {
    let dispatcher: Agent | undefined
    const isArray = format === 'json'
    const type = isArray ? 'application/json' : 'application/x-ndjson'
    return {
      async send(lines) {
        const body = isArray ? `[${lines.join(',')}]` : `${lines.join('\n')}\n`
        const { Agent, request } = (await import('undici')).default // it takes long to load: not before there is a line
        dispatcher ??= new Agent({ headersTimeout: timeout, bodyTimeout: timeout, connect: { timeout } })
        const options = { dispatcher, method, body, headers: { 'content-type': type, ...headers } }
        const answer = await request(http_endpoint, options)
        await answer.body.dump()
        if (answer.statusCode >= 300) throw new Error(`the server answered ${answer.statusCode}`)
      },
      close: () => void dispatcher?.destroy(),
    }
  },
})
