import { hash } from 'node:crypto'
import type { Exchange, PluginContext, PluginHandlers, ProblemReply, Reply } from '../../contract.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { type Claims, claimAt, claimText, scopesOf } from './claims.ts'
import { TokenPlaces } from './token-places.ts'
import type { TokenSettings } from './token-settings.ts'
import { type KnownClient, TokenRefused, VerificationUnavailable } from './verification.ts'

/** Counters of plugins that verify tokens. */
export const tokenCounters = {
  refused: 'Requests without a token that is valid.',
  verified: 'Tokens that were verified; those that were remembered are not counted.',
  stale: 'Tokens that were verified by keys which could not be renewed in time.',
  unavailable: 'Requests that were answered with 503, as there was nothing to verify their tokens by.',
}

/** What becomes of requests of a client that is known. */
export interface Admission {
  readonly client: KnownClient
  readonly hasScopes: boolean
  /** For the service. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

const missing: ProblemReply = { status: 401, code: 'no-token', detail: 'This needs a bearer token.' }
const invalid: ProblemReply = {
  status: 401,
  code: 'invalid-token',
  detail: 'The token is not valid here: it may have expired, or be for something else.',
}
const insufficient: ProblemReply = {
  status: 403,
  code: 'insufficient-scope',
  detail: 'The token does not allow this: ask for one with more scopes.',
}
const unavailable: ProblemReply = {
  status: 503,
  code: 'token-verification-unavailable',
  detail: 'Tokens cannot be verified at the moment; try again later.',
}

/** What is done with requests that hold a token. */
export class TokenHandlers implements PluginHandlers {
  readonly #config: TokenSettings
  readonly #gateway: PluginContext
  readonly #verify: (token: string) => Promise<KnownClient>
  readonly #places: TokenPlaces
  readonly #remembered: ExpiringCache<Admission>
  readonly #underWay = new Map<string, Promise<Admission>>()
  readonly #ownHeaders: readonly string[]

  /** @param verify - finds out whose token it is. Rejects with TokenRefused or VerificationUnavailable. */
  constructor(
    config: TokenSettings,
    gateway: PluginContext,
    verify: (token: string) => Promise<KnownClient>,
  ) {
    this.#config = config
    this.#gateway = gateway
    this.#verify = verify
    this.#places = new TokenPlaces(config)
    this.#remembered = new ExpiringCache(config.cache_size)
    this.#ownHeaders = Object.values(config.claims_to_headers)
  }

  /** What tokens are verified by is another: none is known any more. */
  forget(): void {
    this.#remembered.clear()
  }

  /** @param onMissing - what is done with requests without a token, where not all of them pass */
  onRequest(
    exchange: Exchange,
    onMissing: () => Reply | undefined | Promise<Reply | undefined> = () => this.refuseMissing(exchange),
  ): Reply | undefined | Promise<Reply | undefined> {
    const { request } = exchange
    const found = exchange.consumer ? undefined : this.#places.find(request)
    // Whoever the client turns out to be, only a token says what stands there.
    for (const name of this.#ownHeaders) if (request.header(name) !== undefined) request.removeHeader(name)
    if (exchange.consumer) return undefined
    if (!found) return this.#config.anonymous ? undefined : onMissing()
    const { token, hide } = found
    if (token.length > this.#config.max_token_bytes)
      return this.#refuse(exchange, invalid, 'invalid_token', 'it is longer than max_token_bytes')
    const key = hash('sha256', token, 'base64')
    const remembered = this.#remembered.get(key)
    if (remembered) return this.letIn(exchange, remembered, hide)
    return this.#recall(key, token).then(
      (verified) => this.letIn(exchange, verified, hide),
      (error) => this.onError(exchange, error),
    )
  }

  /** @param hide - keeps from the service what the client has shown */
  letIn(
    exchange: Exchange,
    { client, hasScopes, headers }: Admission,
    hide: (request: Exchange['request']) => void,
  ): Reply | undefined {
    if (!hasScopes) return this.#refuse(exchange, insufficient, 'insufficient_scope', 'it lacks a scope')
    exchange.authenticate(client.consumer, client.claims)
    if (this.#config.hide_credentials) hide(exchange.request)
    for (const [name, value] of headers) exchange.request.setHeader(name, value)
    return undefined
  }

  /** The same token is verified once, however many requests have it at once. */
  #recall(key: string, token: string): Promise<Admission> {
    const known = this.#underWay.get(key)
    if (known) return known
    const begun = this.#remember(key, token).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, begun)
    return begun
  }

  async #remember(key: string, token: string): Promise<Admission> {
    const client = await this.#verify(token)
    this.#gateway.count('verified')
    const remembered = this.assess(client)
    const expires = client.claims.exp
    const longest = Date.now() + this.#config.remembered
    const until = typeof expires === 'number' ? Math.min(longest, expires * 1_000) : longest
    if (!client.isOutdated?.()) this.#remembered.set(key, remembered, until)
    return remembered
  }

  assess(client: KnownClient): Admission {
    const { scopes, claims_to_headers } = this.#config
    const has = new Set(scopesOf(client.claims))
    const headers = Object.entries(claims_to_headers).flatMap(([claim, name]) =>
      headerOf(client.claims, claim, name),
    )
    return { client, headers, hasScopes: scopes.every((scope) => has.has(scope)) }
  }

  /** Answers where nobody could be let in. @throws what is no matter of tokens */
  onError(exchange: Exchange, error: unknown): Reply {
    if (error instanceof TokenRefused) return this.#refuse(exchange, invalid, 'invalid_token', error.message)
    if (!(error instanceof VerificationUnavailable)) throw error
    this.#gateway.count('unavailable')
    this.#gateway.log('error', 'token not verified', {
      reason: error.message,
      request_id: exchange.requestId,
    })
    exchange.setResponseHeader('retry-after', '5')
    return unavailable
  }

  refuseMissing(exchange: Exchange): Reply {
    return this.#refuse(exchange, missing, '')
  }

  /** RFC 6750 section 3. @param reason - for the error log */
  #refuse(exchange: Exchange, reply: ProblemReply, error: string, reason?: string): Reply {
    const { realm, scopes } = this.#config
    this.#gateway.count('refused')
    const more = error === '' ? '' : `, error="${error}"`
    const scope = error === 'insufficient_scope' ? `, scope="${scopes.join(' ')}"` : ''
    exchange.setResponseHeader('www-authenticate', `Bearer realm="${realm}"${more}${scope}`)
    if (reason !== undefined) {
      const { routeName, requestId } = exchange
      this.#gateway.log('warn', 'token refused', { reason, route: routeName, request_id: requestId })
    }
    return reply
  }
}

function headerOf(claims: Claims, claim: string, name: string): [string, string][] {
  const text = claimText(claimAt(claims, claim))
  return text === undefined ? [] : [[name, text]]
}
