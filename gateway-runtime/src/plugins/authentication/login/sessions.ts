import type { PluginContext } from '../../contract.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { claimAt } from '../tokens/claims.ts'
import { clientOf } from '../tokens/jwt-verifier.ts'
import type { Admission, TokenHandlers } from '../tokens/token-handlers.ts'
import type { TokenSettings } from '../tokens/token-settings.ts'
import { TokenRefused, VerificationUnavailable } from '../tokens/verification.ts'
import type { LoginCall } from './login-service.ts'
import type { LoginSettings } from './login-settings.ts'
import type { Issued } from './renewals.ts'
import { Seal } from './seal.ts'
import { claimsOf, type Session, sessionSchema } from './session.ts'

/** A session that goes on. */
export interface KnownSession {
  readonly admission: Admission
  readonly accessToken: string
  /** What the browser is to keep from now on, sealed; undefined: it has the newest. */
  readonly renewed: { readonly text: string; readonly endsAt: number } | undefined
}

/** A browser that was never given what was fetched for it is this many renewals behind at most. */
const mostBehind = 8
/** Milliseconds until an issuer that gave no new tokens is asked again. */
const renewalPause = 5_000

/** Knows sessions by what browsers keep of them, and has their tokens renewed in time. */
export class Sessions {
  readonly #config: TokenSettings
  readonly #gateway: PluginContext
  readonly #tokens: TokenHandlers
  readonly #seal: Seal
  readonly #remembered: ExpiringCache<KnownSession>
  readonly #underWay = new Map<string, Promise<KnownSession | undefined>>()

  constructor(
    config: TokenSettings & { readonly issuer: string; readonly login: LoginSettings },
    gateway: PluginContext,
    tokens: TokenHandlers,
  ) {
    this.#config = config
    this.#gateway = gateway
    this.#tokens = tokens
    this.#seal = new Seal(config.login.secrets, ['session', config.issuer, config.login.client_id])
    this.#remembered = new ExpiringCache(config.cache_size)
  }

  seal(session: Session): Promise<string> {
    return this.#seal.seal(session, session.endsAt)
  }

  async open(text: string): Promise<Session | undefined> {
    const parsed = sessionSchema.safeParse(await this.#seal.open(text))
    return parsed.success && parsed.data.endsAt > Date.now() ? parsed.data : undefined
  }

  /** One that was looked at a short time ago. */
  remembered(key: string): KnownSession | undefined {
    return this.#remembered.get(key)
  }

  /**
   * Opens a session, once for all requests that have it at once. Undefined where it is over. Rejected with TokenRefused
   * where it is that of nobody who gets in, with VerificationUnavailable where the issuer would have to say so.
   */
  recall(key: string, text: string): Promise<KnownSession | undefined> {
    const known = this.#underWay.get(key)
    if (known) return known
    const begun = this.#recall(key, text).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, begun)
    return begun
  }

  async #recall(key: string, text: string): Promise<KnownSession | undefined> {
    const kept = await this.open(text)
    const current = kept && (await this.#current(kept))
    if (!current) return undefined
    const { session, until } = current
    const known: KnownSession = {
      admission: this.#admissionOf(session),
      accessToken: session.tokens.accessToken,
      renewed: session === kept ? undefined : { text: await this.seal(session), endsAt: session.endsAt },
    }
    this.#remembered.set(key, known, Math.min(until, session.endsAt, Date.now() + this.#config.remembered))
    return known
  }

  #admissionOf({ tokens }: Session): Admission {
    const { required_claims } = this.#config
    const claims = claimsOf(tokens)
    const missing = required_claims.find((claim) => claimAt(claims, claim) === undefined)
    if (missing !== undefined) throw new TokenRefused(`the session has no claim ${missing}`)
    return this.#tokens.assess(
      clientOf(claims, { config: this.#config, credentials: this.#gateway.credentials }),
    )
  }

  /** The session as it is by now, and how long it is (`Date.now()`). */
  async #current(
    session: Session,
    behind = 0,
  ): Promise<{ readonly session: Session; readonly until: number } | undefined> {
    const { tokens, endsAt } = session
    const { expiresAt = endsAt, renewAt = endsAt, refreshToken } = tokens
    if (refreshToken === undefined) return Date.now() < expiresAt ? { session, until: expiresAt } : undefined
    if (Date.now() < renewAt) return { session, until: renewAt }
    if (behind === mostBehind) return undefined
    const issued = await this.#renew(session, expiresAt)
    if (issued === 'later') return { session, until: Math.min(expiresAt, Date.now() + renewalPause) }
    if ('refused' in issued) {
      this.#gateway.log('info', 'session over', { reason: issued.refused })
      return undefined
    }
    this.#gateway.count('renewed')
    return this.#current({ tokens: issued.tokens, endsAt }, behind + 1)
  }

  /** An issuer that is out ends no session whose access token is still good. */
  async #renew({ tokens }: Session, expiresAt: number): Promise<Issued | 'later'> {
    const call: LoginCall = { login: 'renew', tokens }
    try {
      return (await this.#gateway.call(call)) as Issued
    } catch (error) {
      const { message } = error as Error
      if (Date.now() >= expiresAt) throw new VerificationUnavailable(message)
      this.#gateway.log('warn', 'session not renewed', { reason: message })
      return 'later'
    }
  }
}
