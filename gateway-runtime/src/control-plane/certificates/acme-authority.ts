import { generateKeyPairSync } from 'node:crypto'
import { z } from 'zod'
import type { AcmeAuthoritySettings, AcmeSettings } from '../../config/acme-settings.ts'
import { readPem } from '../../config/tls-files.ts'
import { AcmeConnection, AcmeProblem, externalAccountBinding } from './acme-connection.ts'
import type { CertificateStorage, StoredAccount } from './certificate-files.ts'
import type { Clock } from './clock.ts'
import { newSigningRequest } from './signing-request.ts'

/** Makes the gateway answer a challenge; resolves when every worker does. Undo it by `remove`. */
export interface ChallengeResponder {
  add(token: string, keyAuthorization: string): Promise<void>
  remove(token: string): Promise<void>
}

/** The authority could not make sure that a domain leads to this gateway: no other authority will. */
export class ValidationFailed extends Error {
  override readonly name = 'ValidationFailed'
}

const status = z.enum([
  'pending',
  'processing',
  'ready',
  'valid',
  'invalid',
  'deactivated',
  'expired',
  'revoked',
])
const orderSchema = z.object({
  status,
  authorizations: z.array(z.url()).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: z.object({ detail: z.string().optional() }).optional(),
})
const challengeSchema = z.object({
  type: z.string(),
  url: z.url(),
  status,
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,512}$/)
    .optional(),
  error: z.object({ detail: z.string().optional() }).optional(),
})
const authorizationSchema = z.object({ status, challenges: z.array(challengeSchema) })
const isFinal = (state: z.output<typeof status>) => state !== 'pending' && state !== 'processing'

const firstDelay = 250
const longestDelay = 5_000
const mostQuestions = 40 // some three minutes

/** One certificate authority, with the account at it. */
export class AcmeAuthority {
  readonly #settings: AcmeAuthoritySettings
  readonly #storage: CertificateStorage
  readonly #challenges: ChallengeResponder
  readonly #clock: Clock
  #connection: AcmeConnection | undefined

  constructor(
    settings: AcmeAuthoritySettings,
    storage: CertificateStorage,
    challenges: ChallengeResponder,
    clock: Clock,
  ) {
    this.#settings = settings
    this.#storage = storage
    this.#challenges = challenges
    this.#clock = clock
  }

  /** URL of its directory. */
  get directory(): string {
    return this.#settings.directory
  }

  /**
   * Orders a certificate for one domain, with a new key. Rejected with an AcmeProblem, a ValidationFailed, or the
   * error of the connection.
   * @returns chain and key, in PEM
   */
  async issue(
    domain: string,
    keyType: AcmeSettings['key_type'],
  ): Promise<{ readonly certificate: string; readonly key: string }> {
    try {
      return await this.#order(await this.#signedIn(), domain, keyType)
    } catch (error) {
      const isUnknown = error instanceof AcmeProblem && error.type.endsWith(':accountDoesNotExist')
      if (!isUnknown) throw error
      this.#connection = await this.#signUp(await this.#storage.account(this.directory))
      return this.#order(this.#connection, domain, keyType)
    }
  }

  async #order(connection: AcmeConnection, domain: string, keyType: AcmeSettings['key_type']) {
    const { profile } = this.#settings
    const { newOrder } = await connection.directory()
    const identifiers = [{ type: 'dns', value: domain }]
    const { body, location } = await connection.post(newOrder, { identifiers, ...(profile && { profile }) })
    if (location === undefined) throw new Error('the authority gave an order no URL')
    const order = orderSchema.parse(body)
    for (const url of order.authorizations) await this.#prove(connection, url)
    const { request, key } = await newSigningRequest(domain, keyType)
    await connection.post(order.finalize, { csr: request.toString('base64url') })
    const done = await this.#follow(connection, location, orderSchema)
    if (done.status !== 'valid' || done.certificate === undefined)
      throw new Error(`the order is ${done.status}: ${done.error?.detail ?? 'without a reason'}`)
    const certificate = await connection.post(done.certificate)
    return { certificate: String(certificate.body), key }
  }

  async #prove(connection: AcmeConnection, url: string): Promise<void> {
    const authorization = authorizationSchema.parse((await connection.post(url)).body)
    if (authorization.status === 'valid') return
    const challenge = authorization.challenges.find(({ type }) => type === 'http-01')
    if (!challenge?.token) throw new ValidationFailed('the authority does not offer http-01 for this domain')
    const { token } = challenge
    await this.#challenges.add(token, await connection.keyAuthorization(token))
    try {
      await connection.post(challenge.url, {})
      const { status, challenges } = await this.#follow(connection, url, authorizationSchema)
      if (status === 'valid') return
      const reason = challenges.find((one) => one.token === token)?.error?.detail
      throw new ValidationFailed(`the challenge failed: ${reason ?? status}`)
    } finally {
      await this.#challenges.remove(token)
    }
  }

  /** Asks for the state of an order or authorization until it is final or, of an order, was finalized. */
  async #follow<State extends { readonly status: z.output<typeof status> }>(
    connection: AcmeConnection,
    url: string,
    schema: z.ZodType<State>,
  ): Promise<State> {
    let delay = firstDelay
    for (let question = 0; question < mostQuestions; question++) {
      const { body, retryAfter } = await connection.post(url)
      const state = schema.parse(body)
      if (isFinal(state.status) && state.status !== 'ready') return state
      const wanted = Math.max(delay, Math.min(retryAfter ?? 0, 60_000))
      await new Promise<void>((resolve) => void this.#clock.wakeAfter(wanted, resolve))
      delay = Math.min(delay * 1.5, longestDelay)
    }
    throw new Error('the authority did not come to an end in time')
  }

  async #signedIn(): Promise<AcmeConnection> {
    if (this.#connection) return this.#connection
    const known = await this.#storage.account(this.directory)
    this.#connection = known ? this.#connect(known.key, known.url) : await this.#signUp(undefined)
    return this.#connection
  }

  /** Makes an account and keeps it, with the key of the one before where there was one. */
  async #signUp(before: StoredAccount | undefined): Promise<AcmeConnection> {
    const { directory, email, external_account_binding: binding } = this.#settings
    const key = before?.key ?? newAccountKey()
    const connection = this.#connect(key, undefined)
    const { newAccount } = await connection.directory()
    const { location } = await connection.post(newAccount, {
      termsOfServiceAgreed: true,
      ...(email !== undefined && { contact: [`mailto:${email}`] }),
      ...(binding && {
        externalAccountBinding: await externalAccountBinding(
          newAccount,
          await connection.publicKey(),
          binding,
        ),
      }),
    })
    if (location === undefined) throw new Error('the authority gave the account no URL')
    connection.useAccount(location)
    await this.#storage.putAccount(directory, { key, url: location })
    return connection
  }

  #connect(key: string, account: string | undefined): AcmeConnection {
    const { directory, ca } = this.#settings
    return new AcmeConnection(directory, key, ca === undefined ? undefined : readPem('/', ca), account)
  }
}

const newAccountKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
