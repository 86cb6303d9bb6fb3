import { z } from 'zod'
import { defineCredentials, definePlugin } from '../contract.ts'
import { LoginHandlers } from './login/login-handlers.ts'
import { LoginService } from './login/login-service.ts'
import { loginSettings } from './login/login-settings.ts'
import { Sessions } from './login/sessions.ts'
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

const loginCounters = {
  logins: 'Logins that were finished.',
  login_refused: 'Logins that the issuer refused, or that the browser had not begun.',
  renewed: 'Sessions that were given new tokens; each worker counts its own.',
  logouts: 'Sessions that their users have ended.',
}

/** Knows clients by tokens of an OpenID Connect issuer, and has people log in there with their browser. */
export const oidc = definePlugin({
  name: 'oidc',
  order: 1440,
  description:
    'Lets in those who show a bearer token of an OpenID Connect issuer, or have logged in there; sends browsers to its login, and answers 401 to others.',
  config: z
    .strictObject({
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
            .describe(
              'The tokens that it is asked for: those that are no JWT, or all, to notice revocation.',
            ),
        })
        .optional()
        .describe('Asks the issuer for tokens (RFC 7662); what it says is remembered, see remembered.'),
      login: loginSettings
        .optional()
        .describe(
          'Has people log in with their browser (authorization code with PKCE). Their ID token says who they are; all of the session is in their cookies.',
        ),
      ...tokenSettings,
      ...fetchSettings,
    })
    .refine(({ login, anonymous }) => !login || !anonymous, {
      path: ['anonymous'],
      message: 'with login, nobody would ever be asked to log in: leave out anonymous or login',
    }),
  examples: [
    { issuer: 'https://login.example.com/realms/shop', audience: ['orders'], scopes: ['orders:read'] },
    {
      issuer: 'https://login.example.com/realms/shop',
      login: {
        client_id: 'shop',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
        client_secret: '${file:/etc/gateway/secrets/oidc-client}',
        redirect_uri: 'https://shop.example.com/oidc/callback',
        scopes: ['openid', 'email', 'offline_access'],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
        secrets: ['${file:/etc/gateway/secrets/oidc-sessions}'],
      },
      claims_to_headers: { email: 'x-user-email' },
    },
  ],
  credentials: defineCredentials({ schema: subjectCredential, key: credentialKey }),
  counters: { ...tokenCounters, ...loginCounters },
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
    const { login } = config
    if (!login) return handlers
    const own = { ...config, login }
    const sessions = new Sessions(own, gateway, handlers)
    return new LoginHandlers(own, gateway, { tokens: handlers, sessions })
  },
  serve(config, node) {
    const { issuer, introspection, login, leeway, refresh } = config
    const client = new JsonClient(config.timeout, config.ca)
    const leastInterval = config.refresh_interval_min
    const own = introspection && {
      clientId: introspection.client_id,
      clientSecret: introspection.client_secret,
    }
    const service = new OidcService({ issuer, client, refresh, leastInterval, introspection: own }, node)
    if (login) service.login = new LoginService({ ...login, leeway }, client, node, () => service.discover())
    return service
  },
})
