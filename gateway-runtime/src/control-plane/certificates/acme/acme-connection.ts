import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, FlattenedSign, type JWK } from 'jose'
import type { Agent, Dispatcher } from 'undici'
import { z } from 'zod'

/** What an authority has answered in place of what it was asked for (RFC 8555 section 6.7). */
export class AcmeProblem extends Error {
  override readonly name = 'AcmeProblem'
  /** Such as `urn:ietf:params:acme:error:rateLimited`; '' where it did not say. */
  readonly type: string
  /** Of HTTP. */
  readonly status: number
  /** Milliseconds until it may be asked again, where it said so. */
  readonly retryAfter: number | undefined

  constructor(status: number, problem: unknown, retryAfter: number | undefined) {
    const { type = '', detail = '' } = problemSchema.safeParse(problem).data ?? {}
    super(`the authority answered ${status}: ${detail.slice(0, 1_000) || type || 'without a reason'}`)
    this.type = type
    this.status = status
    this.retryAfter = retryAfter
  }
}

const problemSchema = z.object({ type: z.string().optional(), detail: z.string().optional() })

/** What a directory must have (RFC 8555 section 7.1.1). */
const directorySchema = z.object({
  newNonce: z.url(),
  newAccount: z.url(),
  newOrder: z.url(),
  revokeCert: z.url().optional(),
  keyChange: z.url().optional(),
  meta: z
    .object({
      /** What CAA records call the authority. */
      caaIdentities: z.array(z.string().max(253)).max(100).default([]),
    })
    .optional(),
  /** RFC 9773 section 3 */
  renewalInfo: z.url().optional(),
})
export type AcmeDirectory = z.output<typeof directorySchema>

export interface AcmeReply {
  /** Parsed JSON; text where it is none. */
  readonly body: unknown
  readonly location: string | undefined
  /** Milliseconds, where it says so. */
  readonly retryAfter: number | undefined
}

const badNonce = 'urn:ietf:params:acme:error:badNonce'
const mostAttempts = 8
const mostNonces = 16
const largestReply = 1_048_576

/** Reads Retry-After (RFC 9110 section 10.2.3), seconds or a date: milliseconds from `now`. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (!value) return undefined
  const time = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isNaN(time) ? undefined : Math.max(time, 0)
}

/** Signed requests to one authority with one account key (RFC 8555 section 6.2), P-256. */
export class AcmeConnection {
  readonly #directoryUrl: string
  readonly #key: KeyObject
  readonly #ca: string | undefined
  #agent: Agent | undefined
  #directory: AcmeDirectory | undefined
  readonly #nonces: string[] = []
  #account: string | undefined

  /**
   * @param key - of the account, in PEM
   * @param ca - what the authority's own server is checked by, in PEM; undefined: the public authorities
   */
  constructor(directoryUrl: string, key: string, ca: string | undefined, account: string | undefined) {
    this.#directoryUrl = directoryUrl
    this.#key = createPrivateKey(key)
    this.#account = account
    this.#ca = ca
  }

  async directory(): Promise<AcmeDirectory> {
    if (!this.#directory) {
      const { body } = await this.#send(this.#directoryUrl, 'GET')
      this.#directory = directorySchema.parse(body)
    }
    return this.#directory
  }

  /** Reads what anybody may read. */
  get(url: string): Promise<AcmeReply> {
    return this.#send(url, 'GET')
  }

  /**
   * A request to take another key for this account, signed by that key (RFC 8555 section 7.3.5).
   * @param key - in PEM
   */
  async keyChange(url: string, key: string): Promise<object> {
    const jwk = await exportJWK(createPublicKey(createPrivateKey(key)))
    const payload = { account: this.#account, oldKey: await this.publicKey() }
    return new FlattenedSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', jwk, url })
      .sign(createPrivateKey(key))
  }

  /** Requests are signed for this account, by its URL, from now on. */
  useAccount(url: string): void {
    this.#account = url
  }

  async publicKey(): Promise<JWK> {
    return exportJWK(createPublicKey(this.#key))
  }

  /** What a challenge is answered with (RFC 8555 section 8.1). */
  async keyAuthorization(token: string): Promise<string> {
    return `${token}.${await calculateJwkThumbprint(await this.publicKey())}`
  }

  /** POST with a payload, or without one to read (POST-as-GET). Rejected with an AcmeProblem or that of the network. */
  async post(url: string, payload?: object): Promise<AcmeReply> {
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonces.pop() ?? (await this.#newNonce())
      try {
        return await this.#send(url, 'POST', await this.#sign(url, nonce, payload))
      } catch (error) {
        const mayRepeat = error instanceof AcmeProblem && error.type === badNonce && attempt < mostAttempts
        if (!mayRepeat) throw error
      }
    }
  }

  async #newNonce(): Promise<string> {
    await this.#send((await this.directory()).newNonce, 'HEAD')
    const nonce = this.#nonces.pop()
    if (nonce === undefined) throw new Error('the authority gave no nonce')
    return nonce
  }

  async #sign(url: string, nonce: string, payload: object | undefined): Promise<string> {
    const signer = this.#account === undefined ? { jwk: await this.publicKey() } : { kid: this.#account }
    const bytes = payload ? Buffer.from(JSON.stringify(payload)) : Buffer.alloc(0)
    const signed = new FlattenedSign(bytes).setProtectedHeader({ alg: 'ES256', nonce, url, ...signer })
    return JSON.stringify(await signed.sign(this.#key))
  }

  async #send(url: string, method: Dispatcher.HttpMethod, signed?: string): Promise<AcmeReply> {
    const { origin, pathname, search, protocol } = new URL(url)
    if (protocol !== 'https:') throw new Error('the authority gave a URL that is not https')
    const { Agent } = (await import('undici')).default // it takes long to load: not before there is a request
    this.#agent ??= new Agent({
      maxResponseSize: largestReply,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
      connect: { timeout: 10_000, ...(this.#ca !== undefined && { ca: this.#ca }) },
      keepAliveTimeout: 1_000,
    })
    const response = await this.#agent.request({
      origin,
      path: pathname + search,
      method,
      headers: { 'user-agent': 'gatehouse', 'content-type': 'application/jose+json' },
      ...(signed !== undefined && { body: signed }),
    })
    const field = (name: string) => [response.headers[name] ?? []].flat()[0]
    const nonce = field('replay-nonce')
    if (nonce !== undefined && this.#nonces.length < mostNonces) this.#nonces.push(nonce)
    const text = await response.body.text()
    const body = parseJson(text)
    const retryAfter = parseRetryAfter(field('retry-after'), Date.now())
    if (response.statusCode >= 300) throw new AcmeProblem(response.statusCode, body, retryAfter)
    return { body, location: field('location'), retryAfter }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Ties an account key to an account that the authority knows otherwise (RFC 8555 section 7.3.4). */
export async function externalAccountBinding(
  url: string,
  publicKey: JWK,
  { key_id, hmac_key }: { readonly key_id: string; readonly hmac_key: string },
): Promise<object> {
  return new FlattenedSign(Buffer.from(JSON.stringify(publicKey)))
    .setProtectedHeader({ alg: 'HS256', kid: key_id, url })
    .sign(Buffer.from(hmac_key, 'base64url'))
}
