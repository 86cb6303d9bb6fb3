import type { AcmeSettings } from '../../config/acme-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { AccountKeeper } from './acme/acme-account.ts'
import { type AcmeAuthority, type OrderJournal, ValidationFailed } from './acme/acme-authority.ts'
import { AcmeProblem } from './acme/acme-connection.ts'
import type { ChallengeSolver } from './acme/challenge-solver.ts'
import { ChallengeBoard } from './acme/shared-challenges.ts'
import type { Clock } from './clock.ts'
import { backoff, renewalTime, suggestedTime } from './renewal-time.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import { type Lease, LeaseLost } from './store/entry-store.ts'
import { entryName, type OrderProgress, type StoredOrder } from './store/records.ts'
import { checkIssued, type StoredCertificate, validityOf } from './stored-certificate.ts'

export interface OrderRunOptions {
  readonly repository: CertificateRepository
  readonly lease: Lease
  readonly settings: AcmeSettings
  /** In the order in which they are asked. */
  readonly authorities: readonly AcmeAuthority[]
  readonly clock: Clock
  readonly log: Pick<ErrorLog, 'write'>
  /** From 0 up to, without, 1. */
  readonly random: () => number
  /** Proves a domain where neither port 80 nor 443 does; undefined where there is none. */
  readonly dns: ChallengeSolver | undefined
  /** What an order would fail at, if anything is known: it is then not made. */
  readonly preflight: (domain: string, authority: AcmeAuthority) => Promise<string | undefined>
  /** Called when this node knows of something new: a certificate, a challenge. Resolves when it is in use. */
  readonly onChange: () => Promise<void>
  /** Called when the store knows that a domain is ordered, or that this has failed: whoever goes on sees it there. */
  readonly onNoted: (domain: string) => void
}

const atOnce = 4
const pauseOfAuthority = 60_000
const pauseOfRenewalInfo = 86_400_000

/** What one node does for as long as it holds the lease: it alone asks authorities, and it alone writes. */
export class OrderRun {
  readonly #options: OrderRunOptions
  readonly #board: ChallengeBoard
  /** Until when an authority is not asked, because it said that it has enough. */
  readonly #pauses = new Map<string, number>()

  constructor(options: OrderRunOptions) {
    this.#options = options
    this.#board = new ChallengeBoard(async (challenges) => {
      const { repository, lease, onChange } = options
      const isEmpty = Object.keys(challenges.http).length + Object.keys(challenges.tls).length === 0
      const cursor = await repository.write(lease, [[entryName.challenges, isEmpty ? undefined : challenges]])
      await onChange()
      if (!isEmpty) await repository.takenUp(cursor)
    })
  }

  /** Orders certificates for these domains, some at once. Rejected with LeaseLost only. */
  orderAll(domains: readonly string[]): Promise<void> {
    return someAtOnce(domains, (domain) => this.#order(domain))
  }

  /**
   * Asks the authorities of certificates when to renew them (RFC 9773); what they cannot say changes nothing. One that
   * does not answer is not asked for the others, which would wait for it in turn.
   */
  askWhenToRenew(certificates: readonly StoredCertificate[]): Promise<void> {
    const silent = new Set<AcmeAuthority>()
    return someAtOnce(certificates, (certificate) => this.#askWhenToRenew(certificate, silent))
  }

  async #askWhenToRenew(certificate: StoredCertificate, silent: Set<AcmeAuthority>): Promise<void> {
    const { authorities, clock, lease, random, repository } = this.#options
    const authority = authorities.find(({ directory }) => directory === certificate.authority)
    const ask = async () => {
      if (!authority || silent.has(authority)) return undefined
      return authority.renewalInfo(certificate.certificate, this.#accounts)
    }
    const info = await ask().catch((error) => {
      if (!(error instanceof LeaseLost)) return void silent.add(authority!)
      throw error
    })
    const now = clock.now()
    const isInWindow = info && certificate.renewAt >= info.start && certificate.renewAt <= info.end
    const renewAt =
      info && !isInWindow
        ? suggestedTime(info, validityOf(certificate.certificate), certificate.issuedAt, random())
        : certificate.renewAt
    const askAt = now + (info?.askAfter ?? pauseOfRenewalInfo)
    await repository.write(lease, [
      [entryName.certificate(certificate.domain), { ...certificate, renewAt, askAt }],
    ])
  }

  get #accounts(): AccountKeeper {
    const { lease, repository } = this.#options
    return {
      account: (directory) => repository.account(directory),
      save: async (directory, account) =>
        void (await repository.write(lease, [[entryName.account(directory), account]])),
    }
  }

  async #order(domain: string): Promise<void> {
    const { clock, lease, log, onChange, random, repository } = this.#options
    try {
      const issued = await this.#issue(domain)
      checkIssued(issued)
      await repository.write(lease, [
        [entryName.certificate(domain), issued],
        [entryName.progress(domain), undefined],
      ])
      const expires = new Date(validityOf(issued.certificate).notAfter).toISOString()
      this.#options.onNoted(domain)
      log.write('info', 'certificate issued', { domain, authority: issued.authority, expires })
      await onChange()
    } catch (error) {
      if (error instanceof LeaseLost || !lease.isHeld) throw new LeaseLost()
      const before = repository.progress(domain)
      const failures = (before?.failures ?? 0) + 1
      const retryAfter = error instanceof AcmeProblem ? error.retryAfter : undefined
      const lastError = (error as Error).message
      const nextAt = clock.now() + backoff(failures, retryAfter, random())
      const order = before?.order && { order: before.order }
      await this.#saveProgress(domain, { failures, lastError, nextAt, ...order })
      log.write('error', 'certificate not issued', {
        domain,
        reason: lastError,
        next: new Date(nextAt).toISOString(),
      })
    }
  }

  /** Asks the authorities in their order; rejected with what the last one failed with. */
  async #issue(domain: string): Promise<StoredCertificate> {
    const { authorities, clock, log, random } = this.#options
    let failure: unknown = new Error('all authorities have asked to wait')
    for (const authority of authorities) {
      if ((this.#pauses.get(authority.directory) ?? 0) > clock.now()) continue
      try {
        const pair = await this.#issueBy(authority, domain)
        const issuedAt = clock.now()
        const renewAt = renewalTime(validityOf(pair.certificate), issuedAt, random())
        return { domain, ...pair, authority: authority.directory, issuedAt, renewAt, askAt: issuedAt }
      } catch (error) {
        if (error instanceof LeaseLost) throw error
        failure = error
        this.#pauseAfter(authority, error)
        const reason = (error as Error).message
        log.write('warn', 'authority failed', { domain, authority: authority.directory, reason })
        if (error instanceof ValidationFailed) break
      }
    }
    throw failure
  }

  async #issueBy(authority: AcmeAuthority, domain: string) {
    const { preflight, repository, settings } = this.#options
    const obstacle = await preflight(domain, authority)
    if (obstacle !== undefined) throw new Error(obstacle)
    const known = repository.certificate(domain)
    const replaces = known?.authority === authority.directory ? known.certificate : undefined
    const request = { domain, keyType: settings.key_type, solver: this.#solverFor(domain), replaces }
    return authority.issue(request, this.#journal(domain))
  }

  #solverFor(domain: string): ChallengeSolver {
    const { dns, settings } = this.#options
    const type = domain.startsWith('*.') ? 'dns-01' : settings.challenge
    if (type === 'http-01') return this.#board.http
    if (type === 'tls-alpn-01') return this.#board.tls
    if (!dns) throw new ValidationFailed('dns-01 needs acme.dns, which says how records are made')
    return dns
  }

  #journal(domain: string): OrderJournal {
    const { clock, repository } = this.#options
    return {
      ...this.#accounts,
      get order() {
        return repository.progress(domain)?.order
      },
      saveOrder: async (order: StoredOrder | undefined) => {
        const { order: _, ...before } = repository.progress(domain) ?? { failures: 0, nextAt: clock.now() }
        await this.#saveProgress(domain, { ...before, ...(order && { order }) })
      },
    }
  }

  async #saveProgress(domain: string, progress: OrderProgress): Promise<void> {
    const { lease, repository } = this.#options
    await repository.write(lease, [[entryName.progress(domain), progress]])
    this.#options.onNoted(domain)
  }

  /** One domain's limit may be the account's: the others are asked for a little later. */
  #pauseAfter(authority: AcmeAuthority, error: unknown): void {
    const { clock } = this.#options
    const isEnough = error instanceof AcmeProblem && (error.status === 429 || error.status === 503)
    if (isEnough)
      this.#pauses.set(
        authority.directory,
        clock.now() + Math.min(error.retryAfter ?? pauseOfAuthority, pauseOfAuthority),
      )
  }
}

/** Does something with each of these, some side by side. Rejected as one of them is, when all that was begun has ended. */
async function someAtOnce<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const workers = Array.from({ length: Math.min(atOnce, waiting.length) }, async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item)
  })
  const ends = await Promise.allSettled(workers)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
