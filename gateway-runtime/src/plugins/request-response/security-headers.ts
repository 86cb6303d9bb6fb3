import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { definePlugin, responseFields } from '../contract.ts'
import { headerNameSchema, headerValueSchema } from './header-schema.ts'

const optionalValue = headerValueSchema.min(1).nullable()

/** Sets the fields by which browsers protect their users, and takes away those that tell attackers of a server. */
export const securityHeaders = definePlugin({
  name: 'security-headers',
  order: 2800,
  description:
    'Sets headers by which browsers protect users, on every answer, and hides what tells of servers.',
  config: z.strictObject({
    strict_transport_security: z
      .strictObject({
        max_age: z.int().min(0).max(63_072_000).default(31_536_000).describe('Seconds.'),
        include_subdomains: z.boolean().default(true),
        preload: z.boolean().default(false),
      })
      .nullable()
      .prefault({})
      .describe('Over TLS only (RFC 6797 section 7.2); null for none.'),
    content_security_policy: optionalValue
      .default(null)
      .describe(
        'Content-Security-Policy; null leaves that of the service. {nonce} stands for a new nonce, which the service is told in X-CSP-Nonce.',
      ),
    report_only: z
      .boolean()
      .default(false)
      .describe('Whether browsers only report what the policy would have kept from them.'),
    content_type_options: z.boolean().default(true).describe('X-Content-Type-Options: nosniff.'),
    frame_options: z.enum(['DENY', 'SAMEORIGIN']).nullable().default('DENY'),
    referrer_policy: optionalValue.default('strict-origin-when-cross-origin'),
    permissions_policy: optionalValue.default(null).describe('Such as camera=(), microphone=().'),
    cross_origin_opener_policy: optionalValue.default('same-origin'),
    cross_origin_resource_policy: optionalValue.default(null),
    remove: z
      .array(headerNameSchema)
      .max(64)
      .default(['server', 'x-powered-by', 'x-aspnet-version', 'x-aspnetmvc-version'])
      .describe('Headers of services that clients do not see.'),
  }),
  examples: [{ content_security_policy: "default-src 'self'; script-src {nonce}" }],
  create(config) {
    const hsts = config.strict_transport_security && hstsValue(config.strict_transport_security)
    const csp = config.content_security_policy
    const cspName = `content-security-policy${config.report_only ? '-report-only' : ''}`
    const hasNonce = csp?.includes('{nonce}') ?? false
    const fixed = fixedFields(config)
    if (csp !== null && !hasNonce) fixed.push([cspName, csp])
    const plainFields = responseFields(fixed, config.remove)
    const tlsFields = hsts
      ? responseFields([...fixed, ['strict-transport-security', hsts]], config.remove)
      : plainFields
    return {
      onRequest(exchange) {
        exchange.applyResponseFields(exchange.request.scheme === 'https' ? tlsFields : plainFields)
        if (csp === null || !hasNonce) return undefined
        const nonce = randomBytes(16).toString('base64')
        exchange.request.setHeader('x-csp-nonce', nonce)
        exchange.setResponseHeader(cspName, csp.replaceAll('{nonce}', `'nonce-${nonce}'`))
        return undefined
      },
    }
  },
})

interface FixedSettings {
  readonly content_type_options: boolean
  readonly frame_options: string | null
  readonly referrer_policy: string | null
  readonly permissions_policy: string | null
  readonly cross_origin_opener_policy: string | null
  readonly cross_origin_resource_policy: string | null
}

const fixedFields = (config: FixedSettings): (readonly [name: string, value: string])[] =>
  Object.entries({
    'x-content-type-options': config.content_type_options ? 'nosniff' : null,
    'x-frame-options': config.frame_options,
    'referrer-policy': config.referrer_policy,
    'permissions-policy': config.permissions_policy,
    'cross-origin-opener-policy': config.cross_origin_opener_policy,
    'cross-origin-resource-policy': config.cross_origin_resource_policy,
  }).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))

const hstsValue = (hsts: { max_age: number; include_subdomains: boolean; preload: boolean }): string =>
  [
    `max-age=${hsts.max_age}`,
    ...(hsts.include_subdomains ? ['includeSubDomains'] : []),
    ...(hsts.preload ? ['preload'] : []),
  ].join('; ')
