import { z } from 'zod'
import { queryParameter, withoutParameter } from '../../data-plane/query-parameter.ts'
import {
  type Credential,
  defineCredentials,
  definePlugin,
  type Exchange,
  type ProblemReply,
} from '../contract.ts'
import { apiKeyHash } from './api-key.ts'
import { commonSettings } from './common-settings.ts'

const missing: ProblemReply = { status: 401, code: 'no-api-key', detail: 'This needs an API key.' }
const unknown: ProblemReply = { status: 401, code: 'unknown-api-key', detail: 'This API key is not known.' }

/** Keys that are remembered with whose they are, on each worker. */
const mostKnown = 10_000

/**
 * Knows consumers by API keys. A key is looked up by its SHA-256: how long that takes tells nothing of it. Those that
 * were found right are remembered, so that each is hashed once.
 */
export const keyAuth = definePlugin({
  name: 'key-auth',
  order: 1250,
  description:
    'Lets in those who show the API key of a consumer, in a header or the query; answers 401 to others.',
  config: z.strictObject({
    key_names: z
      .array(z.string().regex(/^[a-z0-9-]+$/, 'expected a lower-case name'))
      .min(1)
      .max(16)
      .default(['apikey'])
      .describe(
        'Headers, and parameters of the query, that may hold the key; the first that is there counts.',
      ),
    key_in_header: z.boolean().default(true),
    key_in_query: z.boolean().default(true),
    ...commonSettings,
  }),
  examples: [{ key_names: ['apikey', 'x-api-key'], key_in_query: false }],
  credentials: defineCredentials({
    schema: z
      .union([
        z.strictObject({ key: z.string().min(8).max(512) }),
        z.strictObject({
          hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hexadecimal digits'),
        }),
      ])
      .transform((given) => ({ hash: 'key' in given ? apiKeyHash(given.key) : given.hash })),
    key: ({ hash }) => hash,
  }),
  counters: { refused: 'Requests without a key that is known.' },
  create(config, gateway) {
    const places = config.key_names.flatMap((name) => [
      ...(config.key_in_header ? [{ name, isQuery: false }] : []),
      ...(config.key_in_query ? [{ name, isQuery: true }] : []),
    ])
    const known = new Map<string, Credential>()
    const find = (key: string): Credential | undefined => {
      const remembered = known.get(key)
      if (remembered) return remembered
      const credential = gateway.credentials.get(apiKeyHash(key))
      if (!credential) return undefined
      if (known.size >= mostKnown) known.clear()
      known.set(Buffer.from(key).toString(), credential) // a copy: the key may be a slice of the whole head
      return credential
    }
    const refuse = (exchange: Exchange, reply: ProblemReply) => {
      gateway.count('refused')
      exchange.setResponseHeader('www-authenticate', 'Key realm="gateway"')
      return reply
    }
    const hide = ({ request }: Exchange, { name, isQuery }: (typeof places)[number]) => {
      if (isQuery) request.setQuery(withoutParameter(request.query, name))
      else request.removeHeader(name)
    }
    return {
      onRequest(exchange) {
        if (exchange.consumer) return undefined
        const { request } = exchange
        for (const place of places) {
          const { name, isQuery } = place
          const key = isQuery ? queryParameter(request.query, name) : request.header(name)
          if (key === undefined) continue
          const credential = find(key)
          if (!credential) return refuse(exchange, unknown)
          exchange.authenticate(credential.consumer)
          if (config.hide_credentials) hide(exchange, place)
          return undefined
        }
        return config.anonymous ? undefined : refuse(exchange, missing)
      },
    }
  },
})
