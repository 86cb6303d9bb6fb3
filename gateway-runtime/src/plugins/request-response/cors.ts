import { z } from 'zod'
import { definePlugin, type Exchange, type Reply } from '../contract.ts'
import { headerNameSchema } from './header-schema.ts'

const originPattern = /^https?:\/\/(\*\.)?[a-z0-9.-]+(:\d{1,5})?$/
const noBody = Buffer.alloc(0)

/** Cross-origin resource sharing, as the Fetch standard (section 3.2) has it. */
export const cors = definePlugin({
  name: 'cors',
  order: 2700,
  description: 'Lets browsers use an API from pages of other origins, and answers their preflight requests.',
  config: z
    .strictObject({
      origins: z
        .array(
          z.union([z.literal('*'), z.string().regex(originPattern, 'expected https://shop.example.com')]),
        )
        .min(1)
        .max(1_000)
        .describe('Origins whose pages may: https://shop.example.com, https://*.example.com, or * for all.'),
      methods: z
        .array(z.string().regex(/^[A-Z]+$/))
        .min(1)
        .max(32)
        .default(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS']),
      headers: z
        .array(headerNameSchema)
        .max(100)
        .optional()
        .describe('Headers that pages may send; left out: those that a preflight asks for.'),
      exposed_headers: z
        .array(headerNameSchema)
        .max(100)
        .default([])
        .describe('Headers that pages may read.'),
      credentials: z.boolean().default(false).describe('Whether cookies and other credentials go along.'),
      max_age: z.int().min(0).max(86_400).default(600).describe('Seconds that a browser keeps the answer.'),
      private_network: z
        .boolean()
        .default(false)
        .describe('Whether pages of the internet may reach in here.'),
      preflight_continue: z.boolean().default(false).describe('Whether the service answers preflights.'),
    })
    .refine(({ origins, credentials }) => !(credentials && origins.includes('*')), {
      path: ['origins'],
      message: 'with credentials every origin must be named: "*" would let any page act for its visitor',
    }),
  examples: [{ origins: ['https://shop.example.com', 'https://*.example.org'], credentials: true }],
  create(config) {
    const isAllowed = originMatcher(config.origins)
    const any = config.origins.includes('*')
    const exposed = config.exposed_headers.join(', ')
    const share = (exchange: Exchange, origin: string) => {
      exchange.setResponseHeader('access-control-allow-origin', any ? '*' : origin)
      if (config.credentials) exchange.setResponseHeader('access-control-allow-credentials', 'true')
      if (exposed !== '') exchange.setResponseHeader('access-control-expose-headers', exposed)
    }
    const answerPreflight = ({ request }: Exchange): Reply => {
      const asked = request.header('access-control-request-headers')
      const allowed = config.headers?.join(', ') ?? asked
      const isPrivate = request.header('access-control-request-private-network') === 'true'
      return {
        status: 204,
        headers: [
          ['access-control-allow-methods', config.methods.join(', ')],
          ...(allowed ? [['access-control-allow-headers', allowed] as const] : []),
          ...(isPrivate && config.private_network
            ? [['access-control-allow-private-network', 'true'] as const]
            : []),
          ['access-control-max-age', String(config.max_age)],
        ],
        body: noBody,
      }
    }
    return {
      onRequest(exchange) {
        const { request } = exchange
        const origin = request.header('origin')
        if (!any) exchange.addResponseHeader('vary', 'Origin')
        if (origin === undefined) return undefined
        const allowed = isAllowed(origin)
        if (allowed) share(exchange, origin)
        const isPreflight =
          request.method === 'OPTIONS' && request.header('access-control-request-method') !== undefined
        if (!isPreflight || config.preflight_continue) return undefined
        return allowed ? answerPreflight(exchange) : { status: 204, headers: [], body: noBody }
      },
    }
  },
})

/** Origins are compared as browsers write them: in lower case, without a default port. */
function originMatcher(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes('*')) return () => true
  const exact = new Set(origins.filter((origin) => !origin.includes('*')))
  const wildcards = origins
    .filter((origin) => origin.includes('*'))
    .map((origin) => origin.split('*') as [scheme: string, suffix: string])
  return (origin) =>
    exact.has(origin) ||
    wildcards.some(
      ([scheme, suffix]) =>
        origin.startsWith(scheme) &&
        origin.endsWith(suffix) &&
        /^[a-z0-9.-]+$/.test(origin.slice(scheme.length, -suffix.length)),
    )
}
