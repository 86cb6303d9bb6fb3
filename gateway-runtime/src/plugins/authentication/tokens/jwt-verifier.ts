import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import type { Credential } from '../../contract.ts'
import { type Claims, claimAt, consumerOf, subjectOf } from './claims.ts'
import { consumerOfSubject, type JwtCredential, signingKey } from './jwt-credentials.ts'
import type { KeySetVerifier } from './key-set-verifier.ts'
import type { TokenSettings } from './token-settings.ts'
import { type KnownClient, TokenRefused, VerificationUnavailable } from './verification.ts'

export interface JwtVerifierSettings {
  readonly config: TokenSettings
  readonly credentials: ReadonlyMap<string, Credential>
  /** Claim in which tokens of consumers name their key; undefined: consumers make none. */
  readonly keyClaim: string | undefined
  /** For tokens that an issuer has made. */
  readonly keySet: KeySetVerifier | undefined
  /** The issuers whose tokens these are; none: any. */
  readonly issuers: readonly string[]
}

/** Finds out whose a JSON Web Token (RFC 7519) is. */
export class JwtVerifier {
  readonly #settings: JwtVerifierSettings

  constructor(settings: JwtVerifierSettings) {
    this.#settings = settings
  }

  /** Rejects with TokenRefused or VerificationUnavailable, and nothing else. */
  async verify(token: string): Promise<KnownClient> {
    try {
      const own = this.#ownCredential(token)
      return own ? await this.#verifyOwn(token, own) : await this.#verifyIssued(token)
    } catch (error) {
      if (error instanceof TokenRefused || error instanceof VerificationUnavailable) throw error
      // What jose says names claims and algorithms, and quotes nothing.
      throw new TokenRefused(error instanceof errors.JOSEError ? error.message : 'it cannot be verified')
    }
  }

  /** The credential that a token names: nothing of it is verified yet. */
  #ownCredential(token: string): Credential<JwtCredential> | undefined {
    const { keyClaim, credentials } = this.#settings
    const named =
      keyClaim === undefined ? [] : [claimAt(decodeJwt(token), keyClaim), decodeProtectedHeader(token).kid]
    for (const name of named) {
      const credential = typeof name === 'string' ? credentials.get(`key ${name}`) : undefined
      if (credential) return credential as Credential<JwtCredential>
    }
    return undefined
  }

  /** By the one algorithm that the credential has: a public key can never be taken for the secret of an HMAC. */
  async #verifyOwn(token: string, { consumer, value }: Credential<JwtCredential>): Promise<KnownClient> {
    const { algorithm, key } = signingKey(value)
    if (!this.#settings.config.algorithms.includes(algorithm))
      throw new TokenRefused(`${algorithm} is not among the algorithms`)
    const { payload } = await jwtVerify(token, key, { ...this.#options(), algorithms: [algorithm] })
    return { consumer, claims: payload }
  }

  async #verifyIssued(token: string): Promise<KnownClient> {
    const { keySet, config, issuers } = this.#settings
    if (!keySet) throw new TokenRefused('no consumer has the key that it names')
    const options: JWTVerifyOptions = { ...this.#options(), algorithms: [...config.algorithms] }
    if (issuers.length > 0) options.issuer = [...issuers]
    const { claims, isOutdated } = await keySet.verify(token, options)
    return { ...clientOf(claims, this.#settings), isOutdated }
  }

  #options(): JWTVerifyOptions {
    const { audience, leeway, required_claims } = this.#settings.config
    return {
      clockTolerance: Math.ceil(leeway / 1_000),
      requiredClaims: [...required_claims],
      ...(audience.length > 0 && { audience: [...audience] }),
    }
  }
}

/** Whom verified claims are about. @throws TokenRefused where that is nobody who gets in */
export function clientOf(
  claims: JWTPayload | Claims,
  { config, credentials }: Pick<JwtVerifierSettings, 'config' | 'credentials'>,
): KnownClient {
  const subject = subjectOf(claims, config.consumer_claim)
  if (subject === undefined) throw new TokenRefused(`it has no claim ${config.consumer_claim}`)
  const known = consumerOfSubject(credentials, claims.iss, subject)
  if (!known && config.consumer_required) throw new TokenRefused('no consumer has its subject')
  const consumer = known ?? consumerOf(claims, subject, config.groups_claim)
  if (!consumer) throw new TokenRefused('its subject is too long')
  return { consumer, claims }
}
