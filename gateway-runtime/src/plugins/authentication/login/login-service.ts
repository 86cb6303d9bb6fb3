import { decodeJwt } from 'jose'
import type {
  Configuration,
  ServerMetadata,
  TokenEndpointResponse,
  TokenEndpointResponseHelpers,
} from 'openid-client'
import type { PluginNode } from '../../contract.ts'
import type { Discovered } from '../tokens/discovery.ts'
import type { JsonClient } from '../tokens/fetch-json.ts'
import type { LoginSettings } from './login-settings.ts'
import { type Issued, Renewals } from './renewals.ts'
import { Seal } from './seal.ts'
import type { BegunLogin, IssuedTokens } from './session.ts'

/** What workers ask for. */
export type LoginCall =
  | { readonly login: 'begin' }
  | {
      readonly login: 'finish'
      /** Of the request that the issuer sent the browser to, with its question mark. */
      readonly query: string
      readonly begun: Omit<BegunLogin, 'target'>
    }
  | { readonly login: 'renew'; readonly tokens: IssuedTokens }
  | { readonly login: 'end'; readonly tokens: IssuedTokens }

export interface Begun extends Omit<BegunLogin, 'target'> {
  /** Where the browser is sent to. */
  readonly url: string
}

const mostAtOnce = 64

type Library = typeof import('openid-client')

/** Speaks with the issuer for those who log in: OpenID Connect Core 1.0 section 3.1, with PKCE (RFC 7636). */
export class LoginService {
  readonly #settings: LoginSettings & { readonly leeway: number }
  readonly #client: JsonClient
  readonly #node: PluginNode
  readonly #discover: () => Promise<Discovered>
  #configured: { readonly from: Discovered; readonly configuration: Configuration } | undefined
  #asking = 0
  readonly #renewals: Renewals

  constructor(
    settings: LoginSettings & { readonly leeway: number },
    client: JsonClient,
    node: PluginNode,
    discover: () => Promise<Discovered>,
  ) {
    this.#settings = settings
    this.#client = client
    this.#node = node
    this.#discover = discover
    this.#renewals = new Renewals(new Seal(settings.secrets, ['renewal', node.id, settings.client_id]), node)
  }

  /** Rejects where the issuer gives no answer. */
  async onCall(call: LoginCall): Promise<Begun | Issued | string | undefined> {
    switch (call.login) {
      case 'begin':
        return this.#ask((library, configuration) => this.#begin(library, configuration))
      case 'finish':
        return this.#ask((library, configuration) => this.#finish(library, configuration, call))
      case 'renew':
        return this.#renewals.once(call.tokens.refreshToken!, () =>
          this.#ask((library, configuration) => this.#renew(library, configuration, call.tokens)),
        )
      case 'end':
        return this.#ask((library, configuration) => this.#end(library, configuration, call.tokens))
    }
  }

  async #ask<Answer>(
    question: (library: Library, configuration: Configuration) => Promise<Answer>,
  ): Promise<Answer> {
    if (this.#asking >= mostAtOnce) throw new Error('too many wait for the issuer already')
    this.#asking++
    try {
      // Only who has people log in pays for loading it.
      const library = await import('openid-client')
      return await question(library, await this.#configuration(library))
    } finally {
      this.#asking--
    }
  }

  async #configuration(library: Library): Promise<Configuration> {
    const from = await this.#discover()
    if (this.#configured?.from === from) return this.#configured.configuration
    for (const endpoint of ['authorization_endpoint', 'token_endpoint'] as const)
      if (from[endpoint] === undefined) throw new Error(`the issuer has no ${endpoint}`)
    const { client_id: id, client_secret: secret, client_authentication } = this.#settings
    const authentication =
      client_authentication === 'client_secret_post' ? library.ClientSecretPost : library.ClientSecretBasic
    const configuration = new library.Configuration(
      from as ServerMetadata,
      id,
      { [library.clockTolerance]: this.#settings.leeway / 1_000 },
      secret === undefined ? library.None() : authentication(secret),
    )
    configuration[library.customFetch] = (url, { method, headers, body, signal }) =>
      this.#client.fetch(url, {
        method: method === 'POST' ? 'POST' : 'GET',
        headers,
        ...(body !== undefined && body !== null && { body: String(body) }),
        ...(signal && { signal }),
      })
    // The schemes of all of its URLs were looked at: http:// is one of this machine.
    if (from.issuer.startsWith('http:')) library.allowInsecureRequests(configuration)
    library.enableNonRepudiationChecks(configuration)
    this.#configured = { from, configuration }
    return configuration
  }

  async #begin(library: Library, configuration: Configuration): Promise<Begun> {
    const { redirect_uri, scopes, parameters } = this.#settings
    const [state, nonce, verifier] = [
      library.randomState(),
      library.randomNonce(),
      library.randomPKCECodeVerifier(),
    ]
    const url = library.buildAuthorizationUrl(configuration, {
      ...parameters,
      redirect_uri,
      scope: scopes.join(' '),
      state,
      nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    return { url: url.href, state, nonce, verifier }
  }

  #finish(
    library: Library,
    configuration: Configuration,
    { query, begun }: Extract<LoginCall, { login: 'finish' }>,
  ): Promise<Issued> {
    return issuedBy(library, async () => {
      const answer = await library.authorizationCodeGrant(
        configuration,
        new URL(query, this.#settings.redirect_uri),
        {
          pkceCodeVerifier: begun.verifier,
          expectedState: begun.state,
          expectedNonce: begun.nonce,
          idTokenExpected: true,
        },
      )
      const tokens = tokensOf(answer, this.#settings.refresh_ahead)
      if (!this.#settings.userinfo) return tokens
      const { sub } = answer.claims()!
      return {
        ...tokens,
        userinfo: { ...(await library.fetchUserInfo(configuration, tokens.accessToken, sub)) },
      }
    })
  }

  #renew(library: Library, configuration: Configuration, tokens: IssuedTokens): Promise<Issued> {
    return issuedBy(library, async () => {
      const answer = await library.refreshTokenGrant(configuration, tokens.refreshToken!)
      const newer = tokensOf(answer, this.#settings.refresh_ahead, tokens)
      if (decodeJwt(newer.idToken).sub !== decodeJwt(tokens.idToken).sub)
        throw new library.ClientError('the new ID token is that of somebody else')
      return newer
    })
  }

  /** RP-Initiated Logout 1.0. Returns where the browser is sent to; undefined where the issuer has no such page. */
  async #end(
    library: Library,
    configuration: Configuration,
    tokens: IssuedTokens,
  ): Promise<string | undefined> {
    const { revocation_endpoint, end_session_endpoint } = configuration.serverMetadata()
    if (revocation_endpoint !== undefined && tokens.refreshToken !== undefined) {
      // What another has copied is of no use to him then.
      await library
        .tokenRevocation(configuration, tokens.refreshToken, { token_type_hint: 'refresh_token' })
        .catch(({ message }: Error) =>
          this.#node.log('warn', 'refresh token not revoked', { reason: message }),
        )
    }
    if (end_session_endpoint === undefined) return undefined
    const { post_logout_redirect_uri: next } = this.#settings
    return library.buildEndSessionUrl(configuration, {
      id_token_hint: tokens.idToken,
      ...(next !== undefined && { post_logout_redirect_uri: next }),
    }).href
  }
}

type TokenAnswer = TokenEndpointResponse & TokenEndpointResponseHelpers

/**
 * What an answer leaves out stays as it was (OpenID Connect Core 1.0 section 12.2, RFC 6749 section 6).
 * @param ahead - milliseconds before the end at which new tokens are fetched; at half of their time at the earliest
 */
function tokensOf(answer: TokenAnswer, ahead: number, before?: IssuedTokens): IssuedTokens {
  const lifetime = (answer.expiresIn() ?? Number.NaN) * 1_000
  const expiresAt = Date.now() + lifetime
  const renewAt = expiresAt - Math.min(ahead, lifetime / 2)
  return {
    ...before,
    ...definedOf({ refreshToken: answer.refresh_token, scope: answer.scope }),
    accessToken: answer.access_token,
    idToken: answer.id_token ?? before!.idToken,
    ...(Number.isNaN(lifetime) ? { expiresAt: undefined, renewAt: undefined } : { expiresAt, renewAt }),
  }
}

const definedOf = <Fields extends object>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>

/** A refusal of the issuer is an answer; that it cannot be asked, or does not know the gateway, is none. */
async function issuedBy(library: Library, ask: () => Promise<IssuedTokens>): Promise<Issued> {
  try {
    return { tokens: await ask() }
  } catch (error) {
    const { AuthorizationResponseError, ClientError, ResponseBodyError } = library
    if (error instanceof AuthorizationResponseError) return { refused: `it says ${plain(error.error)}` }
    if (error instanceof ResponseBodyError) {
      if (error.error === 'invalid_grant') return { refused: 'it says invalid_grant' }
      throw new Error(`the issuer says ${plain(error.error)}`)
    }
    if (error instanceof ClientError && unbelievable.has(error.code ?? '')) return { refused: error.message }
    throw error
  }
}

/** Answers that are whole, and not believed. */
const unbelievable = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
])

/** What comes from outside, for the error log. */
const plain = (code: string) => (/^[\w.-]{1,64}$/.test(code) ? code : 'something that is no code')
