import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import type { PluginContext } from '../../contract.ts'
import type { KeySetCall, KeySetMessage } from './key-set-service.ts'
import { VerificationUnavailable } from './verification.ts'

const mostCandidates = 8
const mostPatience = 1_000

export interface VerifiedByKeySet {
  readonly claims: JWTPayload
  /** Whether there are other keys by now. */
  isOutdated(): boolean
}

/** Verifies tokens by a key set that the service of the plugin keeps new, or that the configuration holds. */
export class KeySetVerifier {
  readonly #gateway: PluginContext
  readonly #fixed: boolean
  readonly #leastInterval: number
  #askedAt = Number.NEGATIVE_INFINITY
  #find: JWTVerifyGetKey | undefined
  #text = ''
  #isStale = false
  /** Goes up with every other key set. */
  #version = 0
  #asking: Promise<void> | undefined
  /** Called when there are other keys than before. */
  onChange: () => void = () => {}

  constructor(gateway: PluginContext, fixed: JSONWebKeySet | undefined, leastInterval: number) {
    this.#gateway = gateway
    this.#fixed = fixed !== undefined
    this.#leastInterval = Math.min(leastInterval, mostPatience)
    if (fixed) this.#use(fixed)
    else
      gateway.onBroadcast((message) => {
        const { keys, isStale } = message as KeySetMessage
        this.#isStale = isStale
        this.#use(keys)
      })
  }

  /** Rejects with VerificationUnavailable, or an error of jose. */
  async verify(token: string, options: JWTVerifyOptions): Promise<VerifiedByKeySet> {
    if (!this.#find) await this.#ask('first')
    if (!this.#find) throw new VerificationUnavailable('there are no keys of the issuer yet')
    const before = this.#version
    try {
      return await this.#verify(this.#find, token, options)
    } catch (error) {
      if (this.#fixed || !(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#askForNewer()
      if (this.#version !== before) return this.#verify(this.#find, token, options)
      if (this.#isStale)
        throw new VerificationUnavailable('no known key fits, and the issuer gives no newer ones')
      throw error
    }
  }

  async #verify(find: JWTVerifyGetKey, token: string, options: JWTVerifyOptions): Promise<VerifiedByKeySet> {
    const version = this.#version
    const { payload } = await jwtVerify(token, find, options).catch(async (error) => {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyByAny(error, token, options)
      throw error
    })
    if (this.#isStale) this.#gateway.count('stale')
    return { claims: payload, isOutdated: () => this.#version !== version }
  }

  #use(keys: JSONWebKeySet): void {
    const text = JSON.stringify(keys)
    if (text === this.#text) return
    this.#text = text
    this.#find = createLocalJWKSet(keys)
    this.#version++
    this.onChange()
  }

  /** Whoever makes up names of keys keeps the main thread no busier than this. */
  async #askForNewer(): Promise<void> {
    const now = performance.now()
    if (!this.#asking && now - this.#askedAt < this.#leastInterval) return
    this.#askedAt = now
    await this.#ask('newer')
  }

  /** Once for all requests that wait for it. */
  #ask(call: KeySetCall): Promise<void> {
    this.#asking ??= this.#gateway
      .call(call)
      .then(
        () => {},
        (error: Error) => {
          throw new VerificationUnavailable(error.message)
        },
      )
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }
}

/** A token that names no key is held against those that could be it. */
async function verifyByAny(
  several: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
) {
  let left = mostCandidates
  let last: unknown = several
  for await (const key of several) {
    if (left-- === 0) break
    try {
      return await jwtVerify(token, key, options)
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      last = error
    }
  }
  throw last
}
