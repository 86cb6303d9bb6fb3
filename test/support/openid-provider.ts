import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'
import { freePort } from './ports.ts'

export const clientId = 'shop'
export const clientSecret = 'what the issuer and the gateway alone know'

/** Not that of gateways: cookies are of a host, whatever its port. */
const host = '127.0.0.2'

/** A certified OpenID provider, with one client; whoever comes to its login page is the user that the test names. */
export interface OpenIdProvider {
  /** `http://127.0.0.2:PORT`, its name as an issuer. */
  readonly url: string
  /** Who logs in next; undefined: somebody who gives up. */
  user: string | undefined
  /** Claims of all users, besides sub and email. */
  claims: Readonly<Record<string, unknown>>
  /** What clients have asked for at its authorization endpoint, the newest last. */
  readonly asked: readonly URLSearchParams[]
  /** Grants that the token endpoint was shown, the newest last: `authorization_code`, `refresh_token`. */
  readonly grants: readonly string[]
  /** How often people have come to its login page, and have been asked nothing. */
  readonly logins: number
  /** Ends all sessions and grants of everybody, as an administrator does. */
  revokeAll(): void
  stop(): Promise<void>
  /** Listens again, with all that it knew. */
  resume(): Promise<void>
}

export interface OpenIdProviderOptions {
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string
  /** Seconds that access tokens are good for; 3,600. */
  readonly lifetime?: number
  /** Whether it gives no refresh tokens. */
  readonly withoutRefresh?: boolean
  /** Whether claims of scopes are in its ID tokens, or only where userinfo tells them. */
  readonly claimsInIdToken?: boolean
}

/** Starts it on a free port. */
export async function startOpenIdProvider(options: OpenIdProviderOptions): Promise<OpenIdProvider> {
  const port = await freePort()
  const url = `http://${host}:${port}`
  const asked: URLSearchParams[] = []
  const grants: string[] = []
  const stored = new Map<string, object>()
  let logins = 0
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })

  const provider = new Provider(url, {
    adapter: (model: string) => adapterOf(model, stored),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'first', alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [options.redirectUri],
        post_logout_redirect_uris: [options.postLogoutRedirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    clientBasedCORS: () => false,
    claims: { openid: ['sub'], email: ['email', 'teams', 'padding'] },
    conformIdTokenClaims: !(options.claimsInIdToken ?? true),
    cookies: { keys: ['keys of the cookies of the provider'] },
    pkce: { required: () => true },
    ttl: {
      AccessToken: options.lifetime ?? 3_600,
      IdToken: 3_600,
      RefreshToken: 86_400,
      Session: 86_400,
      Grant: 86_400,
      Interaction: 600,
    },
    issueRefreshToken: () => options.withoutRefresh !== true,
    rotateRefreshToken: true,
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: () => true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (context: { body: unknown }, form: string) => {
          context.body = form
        },
      },
    },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, ...self.claims }),
    }),
  })
  provider.on('grant.success', ({ oidc }: { oidc: { params: { grant_type: string } } }) => {
    grants.push(oidc.params.grant_type)
  })

  /** What a login page and a page that asks for consent would do with the answers of the user. */
  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    logins++
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
    const finish = (result: object) =>
      provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
    if (self.user === undefined) return finish({ error: 'access_denied' })
    if (prompt.name === 'login') return finish({ login: { accountId: self.user } })
    const grant =
      (grantId && (await provider.Grant.find(grantId))) ||
      new provider.Grant({ accountId: session!.accountId, clientId })
    grant.addOIDCScope(String(params.scope))
    return finish({ consent: { grantId: await grant.save() } })
  }

  const handle = provider.callback()
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url!, url)
    if (pathname === '/auth') asked.push(searchParams)
    if (pathname.startsWith('/interaction/')) return void interact(request, response)
    void handle(request, response)
  }
  const listen = async (): Promise<Server> => {
    const server = createServer(onRequest).listen(port, host)
    await once(server, 'listening')
    return server
  }
  let server = await listen()
  const self: OpenIdProvider = {
    url,
    user: 'ada',
    claims: {},
    asked,
    grants,
    get logins() {
      return logins
    },
    revokeAll: () => stored.clear(),
    stop: async () => {
      server.closeAllConnections()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
    resume: async () => {
      server = await listen()
    },
  }
  return self
}

/** Keeps what the provider knows, until it is revoked. */
function adapterOf(model: string, stored: Map<string, object>) {
  const key = (id: string) => `${model}:${id}`
  const findBy = (field: string, value: string) =>
    [...stored].find(
      ([name, entry]) => name.startsWith(`${model}:`) && (entry as Record<string, unknown>)[field] === value,
    )?.[1]
  return {
    upsert: async (id: string, payload: object) => void stored.set(key(id), payload),
    find: async (id: string) => stored.get(key(id)),
    findByUid: async (uid: string) => findBy('uid', uid),
    findByUserCode: async (code: string) => findBy('userCode', code),
    consume: async (id: string) => {
      const entry = stored.get(key(id))
      if (entry) stored.set(key(id), { ...entry, consumed: Math.floor(Date.now() / 1_000) })
    },
    destroy: async (id: string) => void stored.delete(key(id)),
    revokeByGrantId: async (grantId: string) => {
      for (const [name, entry] of stored)
        if ((entry as { grantId?: string }).grantId === grantId) stored.delete(name)
    },
  }
}
