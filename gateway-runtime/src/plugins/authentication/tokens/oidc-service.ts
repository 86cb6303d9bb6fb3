import type { PluginNode, PluginService } from '../../contract.ts'
import type { LoginCall, LoginService } from '../login/login-service.ts'
import { type Discovered, discover } from './discovery.ts'
import type { JsonClient } from './fetch-json.ts'
import { KeySetService } from './key-set-service.ts'

export interface OidcServiceSettings {
  readonly issuer: string
  readonly client: JsonClient
  readonly refresh: number
  readonly leastInterval: number
  /** Who the gateway is at the issuer; undefined: it does not ask for tokens. */
  readonly introspection: { readonly clientId: string; readonly clientSecret: string } | undefined
}

/** What workers ask for besides keys. */
export interface IntrospectionCall {
  readonly introspect: string
}

const mostAtOnce = 64

/** Finds out what an issuer says of itself, keeps its keys, and asks it for tokens and logins. */
export class OidcService implements PluginService {
  readonly #settings: OidcServiceSettings
  readonly #keys: KeySetService
  #discovered: Promise<Discovered> | undefined
  /** Where people log in with their browser. */
  login: LoginService | undefined
  #asking = 0

  constructor(settings: OidcServiceSettings, node: PluginNode) {
    this.#settings = settings
    const { client, refresh, leastInterval } = settings
    // With the keys, their place is asked for anew: an issuer may move them.
    const locate = async (signal: AbortSignal) => {
      this.#discovered = undefined
      return (await this.discover(signal)).jwks_uri
    }
    this.#keys = new KeySetService({ client, locate, refresh, leastInterval }, node)
  }

  onCall(message: unknown): Promise<unknown> {
    if (typeof message === 'string') return this.#keys.onCall(message)
    const call = message as IntrospectionCall | LoginCall
    if ('introspect' in call) return this.#introspect(call.introspect)
    return this.login!.onCall(call)
  }

  stop(): Promise<void> {
    return this.#keys.stop()
  }

  /** What the issuer says of itself; it is asked anew with its keys. */
  discover(signal?: AbortSignal): Promise<Discovered> {
    if (this.#discovered) return this.#discovered
    const begun = discover(this.#settings.issuer, this.#settings.client, signal)
    this.#discovered = begun
    begun.catch(() => {
      if (this.#discovered === begun) this.#discovered = undefined
    })
    return begun
  }

  /** RFC 7662 section 2. */
  async #introspect(token: string): Promise<unknown> {
    if (this.#asking >= mostAtOnce) throw new Error('the issuer is asked for too many tokens at once')
    this.#asking++
    try {
      const { introspection_endpoint: endpoint } = await this.discover()
      if (endpoint === undefined) throw new Error('the issuer has no introspection_endpoint')
      return await this.#settings.client.ask(endpoint, {
        method: 'POST',
        headers: {
          authorization: this.#authorization(),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      })
    } finally {
      this.#asking--
    }
  }

  /** RFC 6749 section 2.3.1: both parts are encoded as in a form. */
  #authorization(): string {
    const { clientId, clientSecret } = this.#settings.introspection!
    const encoded = [clientId, clientSecret].map((text) =>
      new URLSearchParams({ '': text }).toString().slice(1),
    )
    return `Basic ${Buffer.from(encoded.join(':')).toString('base64')}`
  }
}
