import type { AcmeAuthoritySettings, AcmeSettings } from '../../../config/acme-settings.ts'
import type { Clock } from '../clock.ts'
import { newPrivateKey, newSigningRequest } from '../signing-request.ts'
import type { StoredOrder } from '../store/records.ts'
import { type AccountKeeper, AcmeAccount } from './acme-account.ts'
import { type AcmeConnection, AcmeProblem } from './acme-connection.ts'
import { accountReply, authorizationReply, type OrderReply, orderReply, ordersReply } from './acme-schemas.ts'
import type { ChallengeSolver } from './challenge-solver.ts'
import { askRenewalInfo, certificateId, type RenewalInfo } from './renewal-info.ts'

/** The authority could not make sure that a domain leads to this gateway: no other authority will. */
export class ValidationFailed extends Error {
  override readonly name = 'ValidationFailed'
}

/** What an order is made with. */
export interface OrderRequest {
  readonly domain: string
  readonly keyType: AcmeSettings['key_type']
  readonly solver: ChallengeSolver
  /** The certificate that it takes the place of, in PEM. */
  readonly replaces: string | undefined
}

/** Where the order is written down as it goes. */
export interface OrderJournal extends AccountKeeper {
  readonly order: StoredOrder | undefined
  /** Rejected where this node may not write any more: then nothing more is asked of the authority. */
  saveOrder(order: StoredOrder | undefined): Promise<void>
}

const firstDelay = 250
const longestDelay = 5_000
const mostQuestions = 40 // some three minutes
const mostListedOrders = 50

/**
 * One certificate authority, with the account at it. Each step of an order is written down before the next, so that
 * whoever holds the journal goes on where another has stopped, and makes no second order.
 */
export class AcmeAuthority {
  readonly #settings: AcmeAuthoritySettings
  readonly #clock: Clock
  readonly #account: AcmeAccount

  constructor(settings: AcmeAuthoritySettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#account = new AcmeAccount(settings)
  }

  /** URL of its directory. */
  get directory(): string {
    return this.#settings.directory
  }

  /**
   * Orders a certificate for one domain, with a new key, or goes on with the order of the journal. Rejected with an
   * AcmeProblem, a ValidationFailed, or the error of the connection or journal.
   * @returns chain and key, in PEM
   */
  issue(
    request: OrderRequest,
    journal: OrderJournal,
  ): Promise<{ readonly certificate: string; readonly key: string }> {
    return this.#account.use(journal, async (connection) => {
      const { url, key } = await this.#openOrder(connection, request, journal)
      try {
        return { certificate: await this.#complete(connection, request, url, key), key }
      } catch (error) {
        if (isSpent(error)) await journal.saveOrder(undefined)
        throw error
      }
    })
  }

  /**
   * Takes back a certificate (RFC 8555 section 7.6).
   * @param reason - code of RFC 5280 section 5.3.1
   */
  revoke(certificate: string, reason: number, keeper: AccountKeeper): Promise<void> {
    return this.#account.use(keeper, async (connection) => {
      const { revokeCert } = await connection.directory()
      if (revokeCert === undefined) throw new Error('the authority does not revoke certificates')
      await connection.post(revokeCert, { certificate: derOf(certificate).toString('base64url'), reason })
    })
  }

  /** What CAA records call it; none where it does not say. */
  async caaIdentities(): Promise<readonly string[]> {
    return (await this.#account.directory()).meta?.caaIdentities ?? []
  }

  rollOverKey(keeper: AccountKeeper): Promise<void> {
    return this.#account.rollOver(keeper)
  }

  /** When the authority suggests to renew a certificate; undefined where it does not say such things. */
  renewalInfo(certificate: string, keeper: AccountKeeper): Promise<RenewalInfo | undefined> {
    return this.#account.use(keeper, (connection) => askRenewalInfo(connection, certificate))
  }

  /** The order of the journal, or else a new one, of which the journal knows. */
  async #openOrder(
    connection: AcmeConnection,
    request: OrderRequest,
    journal: OrderJournal,
  ): Promise<{ readonly url: string; readonly key: string }> {
    const begun = journal.order?.authority === this.directory ? journal.order : undefined
    if (begun?.url !== undefined) return { url: begun.url, key: begun.key }
    const key = begun?.key ?? (await newPrivateKey(request.keyType))
    const order = { authority: this.directory, key }
    if (!begun) await journal.saveOrder(order)
    // Begun without a URL: the authority may have taken the order, and its answer was lost.
    const found = begun ? await this.#findOrder(connection, request.domain, journal) : undefined
    const url = found ?? (await this.#newOrder(connection, request))
    await journal.saveOrder({ ...order, url })
    return { url, key }
  }

  async #newOrder(connection: AcmeConnection, { domain, replaces }: OrderRequest): Promise<string> {
    const { profile } = this.#settings
    const { newOrder, renewalInfo } = await connection.directory()
    const replaced = renewalInfo !== undefined && replaces !== undefined ? certificateId(replaces) : undefined
    const ask = (more: object) =>
      connection.post(newOrder, {
        identifiers: [{ type: 'dns', value: domain }],
        ...(profile !== undefined && { profile }),
        ...more,
      })
    // One that was replaced before, or is of another authority, is no reason to go without a certificate.
    const { location } = await ask(replaced ? { replaces: replaced } : {}).catch((error) => {
      const isAboutReplacing =
        replaced && error instanceof AcmeProblem && /:(alreadyReplaced|malformed)$/.test(error.type)
      if (isAboutReplacing) return ask({})
      throw error
    })
    if (location === undefined) throw new Error('the authority gave an order no URL')
    return location
  }

  /** Among the last orders of the account, where the authority lists them, one for this domain that is not finished. */
  async #findOrder(
    connection: AcmeConnection,
    domain: string,
    journal: OrderJournal,
  ): Promise<string | undefined> {
    const account = journal.account(this.directory)?.url
    if (account === undefined) return undefined
    const { orders: list } = accountReply.parse((await connection.post(account)).body)
    if (list === undefined) return undefined
    const { orders } = ordersReply.parse((await connection.post(list)).body)
    for (const url of orders.slice(-mostListedOrders).reverse()) {
      const order = orderReply.safeParse((await connection.post(url)).body).data
      const isOpen = order?.status === 'pending' || order?.status === 'ready'
      if (isOpen && order.identifiers.length === 1 && order.identifiers[0]!.value === domain) return url
    }
    return undefined
  }

  async #complete(
    connection: AcmeConnection,
    request: OrderRequest,
    url: string,
    key: string,
  ): Promise<string> {
    let order = orderReply.parse((await connection.post(url)).body)
    if (order.status === 'pending') {
      for (const authorization of order.authorizations) await this.#prove(connection, request, authorization)
      order = await this.#follow(connection, url, (state) => state.status !== 'pending')
    }
    if (order.status === 'ready') {
      const csr = await newSigningRequest([request.domain], key)
      await connection.post(order.finalize, { csr: csr.toString('base64url') })
    }
    order = await this.#follow(connection, url, ({ status }) => status === 'valid' || status === 'invalid')
    if (order.status !== 'valid' || order.certificate === undefined)
      throw new OrderFailed(`the order is ${order.status}: ${order.error?.detail ?? 'without a reason'}`)
    return String((await connection.post(order.certificate)).body)
  }

  async #prove(connection: AcmeConnection, { domain, solver }: OrderRequest, url: string): Promise<void> {
    const authorization = authorizationReply.parse((await connection.post(url)).body)
    if (authorization.status === 'valid') return
    const challenge = authorization.challenges.find(({ type }) => type === solver.type)
    if (!challenge?.token)
      throw new ValidationFailed(`the authority does not offer ${solver.type} for this domain`)
    const { token } = challenge
    const undo = await solver.present(domain, token, await connection.keyAuthorization(token))
    try {
      if (challenge.status === 'pending') await connection.post(challenge.url, {})
      const { status, challenges } = await this.#repeat(async () => {
        const { body, retryAfter } = await connection.post(url)
        const state = authorizationReply.parse(body)
        return { state, retryAfter, isDone: state.status !== 'pending' }
      })
      if (status === 'valid') return
      const reason = challenges.find((one) => one.token === token)?.error?.detail
      throw new ValidationFailed(`the challenge failed: ${reason ?? status}`)
    } finally {
      await undo()
    }
  }

  /** Asks for the state of an order until it is far enough. */
  #follow(
    connection: AcmeConnection,
    url: string,
    isDone: (order: OrderReply) => boolean,
  ): Promise<OrderReply> {
    return this.#repeat(async () => {
      const { body, retryAfter } = await connection.post(url)
      const state = orderReply.parse(body)
      return { state, retryAfter, isDone: isDone(state) || state.status === 'invalid' }
    })
  }

  async #repeat<State>(
    ask: () => Promise<{
      readonly state: State
      readonly retryAfter: number | undefined
      readonly isDone: boolean
    }>,
  ): Promise<State> {
    let delay = firstDelay
    for (let question = 0; question < mostQuestions; question++) {
      const { state, retryAfter, isDone } = await ask()
      if (isDone) return state
      const wanted = Math.max(delay, Math.min(retryAfter ?? 0, 60_000))
      await new Promise<void>((resolve) => void this.#clock.wakeAfter(wanted, resolve))
      delay = Math.min(delay * 1.5, longestDelay)
    }
    throw new Error('the authority did not come to an end in time')
  }
}

/** The order can come to no certificate any more. */
class OrderFailed extends Error {
  override readonly name = 'OrderFailed'
}

/** What says nothing against the order itself. */
const passing = /:(badNonce|rateLimited|orderNotReady|userActionRequired|serverInternal)$/

/** Whether an order is of no more use; a connection that failed, or an authority that is busy, leaves it as it is. */
const isSpent = (error: unknown): boolean =>
  error instanceof OrderFailed ||
  error instanceof ValidationFailed ||
  (error instanceof AcmeProblem && error.status >= 400 && error.status < 500 && !passing.test(error.type))

const derOf = (certificate: string): Buffer =>
  Buffer.from(/-----BEGIN CERTIFICATE-----([^-]*)/.exec(certificate)?.[1] ?? '', 'base64')
