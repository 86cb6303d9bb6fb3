import { z } from 'zod'
import { duration } from '../../../config/duration.ts'
import { issuerUrl } from '../tokens/issuer-settings.ts'

const path = z
  .string()
  .max(1_024)
  .regex(/^\/[\w.~/-]*$/, 'expected a path: "/", letters, digits, "_", ".", "~" or "-"')

/** How people log in with their browser. */
export const loginSettings = z.strictObject({
  client_id: z.string().min(1).max(1_024).describe('What the issuer calls the gateway.'),
  client_secret: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe('Best as a reference. Left out for a public client: PKCE protects that, too.'),
  client_authentication: z
    .enum(['client_secret_basic', 'client_secret_post'])
    .default('client_secret_basic')
    .describe('How the secret is shown to the issuer.'),
  redirect_uri: issuerUrl
    .refine((text) => {
      const url = URL.parse(text)
      return url?.search === '' && path.safeParse(url.pathname).success
    }, 'expected a URL with a plain path and no query')
    .describe(
      'Where the issuer sends browsers back to, as it is registered there. Its path must belong to a route with this plugin; its host is the one that people use.',
    ),
  logout_path: path
    .default('/oidc/logout')
    .describe('Ends the session here and at the issuer. It must belong to a route with this plugin.'),
  post_logout_redirect_uri: issuerUrl
    .optional()
    .describe('Where browsers go after that, as it is registered at the issuer; its own page otherwise.'),
  scopes: z
    .array(z.string().regex(/^[!#-[\]-~]{1,256}$/, 'expected visible ASCII characters without " and \\'))
    .max(64)
    .default(['openid'])
    .transform((scopes) => [...new Set(['openid', ...scopes])])
    .describe(
      'What the issuer is asked for; openid always. Many give a refresh token for offline_access only.',
    ),
  parameters: z
    .record(z.string().regex(/^[a-z_]{1,64}$/, 'expected lower-case letters and "_"'), z.string().max(2_048))
    .default({})
    .refine((parameters) => reserved.every((name) => !(name in parameters)), {
      message: 'what makes a login safe cannot be set here',
    })
    .describe('More that the issuer is told with a login: {prompt: consent}, {audience: orders}.'),
  userinfo: z
    .boolean()
    .default(false)
    .describe('Whether the issuer is asked for claims that its ID token does not have, once a login.'),
  pass_access_token: z
    .boolean()
    .default(false)
    .describe('Whether the service is shown the access token of the session, as a bearer token.'),
  secrets: z
    .array(z.string().min(32, 'expected at least 32 characters').max(4_096))
    .min(1)
    .max(8)
    .describe(
      'What sessions are sealed with, the same on all nodes; best as references. The first one seals, all of them open: put a new one first, and take the old one away after session_lifetime.',
    ),
  cookie_name: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'expected letters, digits, "_" or "-"')
    .default('__Host-session')
    .describe('With __Host- in front, no other host of the domain can set it.'),
  session_lifetime: duration
    .refine((time) => time >= 60_000 && time <= 2_592_000_000, 'expected 1m to 30d')
    .default(28_800_000)
    .describe('Time after which people log in again, whatever the issuer says.'),
  refresh_ahead: duration
    .default(60_000)
    .describe('How long before the access token expires a new one is fetched.'),
})

const reserved = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
]

export type LoginSettings = z.output<typeof loginSettings>
