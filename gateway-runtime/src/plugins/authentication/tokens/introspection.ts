import type { PluginContext } from '../../contract.ts'
import { type Claims, claimAt } from './claims.ts'
import { clientOf } from './jwt-verifier.ts'
import type { IntrospectionCall } from './oidc-service.ts'
import type { TokenSettings } from './token-settings.ts'
import { type KnownClient, TokenRefused, VerificationUnavailable } from './verification.ts'

/** Finds out whose a token is by asking its issuer (RFC 7662). */
export class Introspection {
  readonly #config: TokenSettings
  readonly #issuer: string
  readonly #gateway: PluginContext

  constructor(config: TokenSettings, issuer: string, gateway: PluginContext) {
    this.#config = config
    this.#issuer = issuer
    this.#gateway = gateway
  }

  /** Rejects with TokenRefused or VerificationUnavailable. */
  async verify(token: string): Promise<KnownClient> {
    const call: IntrospectionCall = { introspect: token }
    const answer = await this.#gateway.call(call).catch((error: Error) => {
      throw new VerificationUnavailable(error.message)
    })
    if (typeof answer !== 'object' || answer === null)
      throw new VerificationUnavailable('the answer of the issuer is no object')
    const { active, ...said } = answer as Claims
    if (active !== true) throw new TokenRefused('the issuer says that it is not active')
    const claims = { iss: this.#issuer, ...said }
    this.#check(claims)
    return clientOf(claims, { config: this.#config, credentials: this.#gateway.credentials })
  }

  /** An issuer that says a token is active need not have looked at what it is for. */
  #check(claims: Claims): void {
    const { audience, leeway, required_claims } = this.#config
    if (claims.iss !== this.#issuer) throw new TokenRefused('it is of another issuer')
    const audiences = [claims.aud].flat()
    if (audience.length > 0 && !audience.some((own) => audiences.includes(own)))
      throw new TokenRefused('it is for another audience')
    const missing = required_claims.find((claim) => claimAt(claims, claim) === undefined)
    if (missing !== undefined) throw new TokenRefused(`it has no claim ${missing}`)
    const now = Date.now() / 1_000
    const tolerance = leeway / 1_000
    if (typeof claims.exp === 'number' && claims.exp + tolerance <= now)
      throw new TokenRefused('it has expired')
    if (typeof claims.nbf === 'number' && claims.nbf - tolerance > now)
      throw new TokenRefused('it is not valid yet')
  }
}
