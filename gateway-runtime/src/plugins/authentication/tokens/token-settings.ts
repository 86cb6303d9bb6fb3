import { z } from 'zod'
import { duration } from '../../../config/duration.ts'
import { HeaderKind, headerName } from '../../../data-plane/http1/header-name.ts'
import { headerNameSchema } from '../../request-response/header-schema.ts'
import { commonSettings } from '../common-settings.ts'
import { algorithms } from './algorithms.ts'

const parameterName = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, 'expected letters, digits, "_", "." or "-"')

const settableHeader = headerNameSchema.refine(
  (name) => headerName(name).kind === HeaderKind.other && name !== 'cookie',
  'expected a header that neither the gateway nor HTTP has a use for',
)

const claim = z.string().min(1).max(256)

/** What plugins that verify tokens have in common. */
export const tokenSettings = {
  ...commonSettings,
  header_names: z
    .array(headerNameSchema)
    .max(16)
    .default(['authorization'])
    .describe('Headers that may hold the token; in authorization it stands behind "Bearer".'),
  cookie_names: z.array(parameterName).max(16).default([]).describe('Cookies that may hold the token.'),
  query_names: z
    .array(parameterName)
    .max(16)
    .default([])
    .describe('Parameters of the query that may hold the token. Queries end up in logs: better none.'),
  max_token_bytes: z.int().min(64).max(65_536).default(8_192).describe('A longer token is not looked at.'),
  audience: z
    .array(z.string().min(1).max(1_024))
    .max(64)
    .default([])
    .describe('A token must be for one of these (aud); none: for anybody.'),
  algorithms: z
    .array(z.enum(algorithms))
    .min(1)
    .default([...algorithms])
    .describe('Algorithms that a signature may have; each key is good for its own ones only.'),
  leeway: z
    .union([z.literal(0), duration])
    .refine((time) => time <= 600_000, 'expected at most 10m')
    .default(10_000)
    .describe('How far the clock of the issuer may be off.'),
  required_claims: z
    .array(claim)
    .max(64)
    .default(['exp'])
    .describe('Claims that a token must have. One without exp never expires.'),
  scopes: z
    .array(z.string().regex(/^[!#-[\]-~]{1,256}$/, 'expected visible ASCII characters without " and \\'))
    .max(64)
    .default([])
    .describe('Scopes that a token must have, all of them (scope or scp): 403 without.'),
  claims_to_headers: z
    .record(claim, settableHeader)
    .default({})
    .describe(
      'What the service is told: claim → header, such as {email: x-user-email, realm_access.roles: x-roles}. Clients cannot set these.',
    ),
  consumer_claim: claim
    .default('sub')
    .describe('Claim that tells clients apart, where none of the consumers is found by its credentials.'),
  consumer_required: z
    .boolean()
    .default(false)
    .describe('Whether only those get in whom a consumer of the configuration has among its credentials.'),
  groups_claim: claim
    .optional()
    .describe('Claim with the groups of a client that is no consumer of the configuration, for acl.'),
  remembered: duration
    .default(300_000)
    .describe('Time in which a token that was verified is not verified again; at most until it expires.'),
  cache_size: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(10_000)
    .describe('Verified tokens that each worker remembers.'),
  realm: z
    .string()
    .regex(/^[ !#-[\]-~]{1,128}$/, 'expected 1 to 128 ASCII characters without " and \\')
    .default('gateway')
    .describe('What clients are told that the token is for.'),
}

const tokenSettingsSchema = z.strictObject(tokenSettings)
export type TokenSettings = z.output<typeof tokenSettingsSchema>
