import { z } from 'zod'
import { defineCredentials, definePlugin } from '../contract.ts'
import { JsonClient } from './tokens/fetch-json.ts'
import { fetchSettings, issuerUrl } from './tokens/issuer-settings.ts'
import { credentialKey, jwtCredential } from './tokens/jwt-credentials.ts'
import { JwtVerifier } from './tokens/jwt-verifier.ts'
import { publicKeys } from './tokens/key-set.ts'
import { KeySetService } from './tokens/key-set-service.ts'
import { KeySetVerifier } from './tokens/key-set-verifier.ts'
import { TokenHandlers, tokenCounters } from './tokens/token-handlers.ts'
import { tokenSettings } from './tokens/token-settings.ts'

const keySetText = z.string().superRefine((text, { addIssue }) => {
  try {
    publicKeys(JSON.parse(text))
  } catch (error) {
    addIssue(error instanceof SyntaxError ? 'expected a JSON Web Key Set as JSON' : (error as Error).message)
  }
})

/** Knows clients by JSON Web Tokens: of consumers, by their keys, and of an issuer, by its key set. */
export const jwt = definePlugin({
  name: 'jwt',
  order: 1450,
  description:
    'Lets in those who show a JSON Web Token that a consumer has signed, or an issuer whose keys are known; answers 401 to others.',
  config: z
    .strictObject({
      jwks_url: issuerUrl
        .optional()
        .describe(
          'Where the key set of an issuer is. Its keys are fetched by the node, and kept while it is out.',
        ),
      jwks: keySetText
        .optional()
        .describe('The key set of an issuer itself, as JSON; best as a reference to a file.'),
      issuer: z
        .array(z.string().min(1).max(1_024))
        .max(64)
        .default([])
        .describe('Issuers (iss) whose tokens the key set is for; none: any.'),
      key_claim: z
        .string()
        .min(1)
        .max(256)
        .default('iss')
        .describe('Claim in which a token names the key of a consumer; kid in its head counts, too.'),
      ...tokenSettings,
      ...fetchSettings,
    })
    .refine(({ jwks, jwks_url }) => jwks === undefined || jwks_url === undefined, {
      path: ['jwks'],
      message: 'jwks and jwks_url are two ways to say the same: leave one out',
    }),
  examples: [
    {
      jwks_url: 'https://login.example.com/.well-known/jwks.json',
      issuer: ['https://login.example.com/'],
      audience: ['https://api.example.com'],
      claims_to_headers: { email: 'x-user-email' },
    },
  ],
  credentials: defineCredentials({ schema: jwtCredential, key: credentialKey }),
  counters: tokenCounters,
  create(config, gateway) {
    const fixed = config.jwks === undefined ? undefined : publicKeys(JSON.parse(config.jwks))
    const hasKeySet = fixed !== undefined || config.jwks_url !== undefined
    const keySet = hasKeySet ? new KeySetVerifier(gateway, fixed, config.refresh_interval_min) : undefined
    const verifier = new JwtVerifier({
      config,
      credentials: gateway.credentials,
      keyClaim: config.key_claim,
      keySet,
      issuers: config.issuer,
    })
    const handlers = new TokenHandlers(config, gateway, (token) => verifier.verify(token))
    if (keySet) keySet.onChange = () => handlers.forget()
    return handlers
  },
  serve(config, node) {
    const { jwks_url: url, refresh, refresh_interval_min: leastInterval } = config
    if (url === undefined) return { stop() {} }
    const client = new JsonClient(config.timeout, config.ca)
    return new KeySetService({ client, locate: async () => url, refresh, leastInterval }, node)
  },
})
