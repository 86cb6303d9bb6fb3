import { z } from 'zod'
import { defineCredentials, definePlugin } from '../contract.ts'
import { JsonClient } from './tokens/fetch-json.ts'
import { Introspection } from './tokens/introspection.ts'
import { fetchSettings, issuerUrl } from './tokens/issuer-settings.ts'
import { credentialKey, subjectCredential } from './tokens/jwt-credentials.ts'
import { JwtVerifier } from './tokens/jwt-verifier.ts'
import { KeySetVerifier } from './tokens/key-set-verifier.ts'
import { OidcService } from './tokens/oidc-service.ts'
import { TokenHandlers, tokenCounters } from './tokens/token-handlers.ts'
import { tokenSettings } from './tokens/token-settings.ts'

/** Three parts (RFC 7515 section 3.1): what is none says nothing itself. */
const isJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)

/** Knows clients by bearer tokens of an OpenID Connect issuer, which says itself where its keys are. */
export const oidc = definePlugin({
  name: 'oidc',
  order: 1440,
  description: 'Lets in those who show a bearer token of an OpenID Connect issuer; answers 401 to others.',
  config: z.strictObject({
    issuer: issuerUrl.describe(
      'The issuer, as its tokens name it (iss); its configuration is below, at /.well-known/openid-configuration.',
    ),
    introspection: z
      .strictObject({
        client_id: z.string().min(1).max(1_024),
        client_secret: z
          .string()
          .min(1)
          .max(4_096)
          .describe('Best as a reference: it is sent to the issuer.'),
        for: z
          .enum(['opaque', 'all'])
          .default('opaque')
          .describe('The tokens that it is asked for: those that are no JWT, or all, to notice revocation.'),
      })
      .optional()
      .describe('Asks the issuer for tokens (RFC 7662); what it says is remembered, see remembered.'),
    ...tokenSettings,
    ...fetchSettings,
  }),
  examples: [
    { issuer: 'https://login.example.com/realms/shop', audience: ['orders'], scopes: ['orders:read'] },
  ],
  credentials: defineCredentials({ schema: subjectCredential, key: credentialKey }),
  counters: tokenCounters,
  create(config, gateway) {
    const keySet = new KeySetVerifier(gateway, undefined, config.refresh_interval_min)
    const { credentials } = gateway
    const verifier = new JwtVerifier({
      config,
      credentials,
      keyClaim: undefined,
      keySet,
      issuers: [config.issuer],
    })
    const introspection = config.introspection && new Introspection(config, config.issuer, gateway)
    const handlers = new TokenHandlers(config, gateway, (token) =>
      introspection && (config.introspection?.for === 'all' || !isJwt(token))
        ? introspection.verify(token)
        : verifier.verify(token),
    )
    keySet.onChange = () => handlers.forget()
    return handlers
  },
  serve({ issuer, introspection, refresh, refresh_interval_min: leastInterval, timeout, ca }, node) {
    const client = new JsonClient(timeout, ca)
    const own = introspection && {
      clientId: introspection.client_id,
      clientSecret: introspection.client_secret,
    }
    return new OidcService({ issuer, client, refresh, leastInterval, introspection: own }, node)
  },
})
