import type { AcmeSettings } from '../../config/acme-settings.ts'
import { certificateHosts } from '../../config/tls-files.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { Challenges, ServerCertificate } from '../../worker-messages.ts'
import { AcmeAuthority } from './acme/acme-authority.ts'
import type { ChallengeSolver } from './acme/challenge-solver.ts'
import type { Clock } from './clock.ts'
import { OrderRun } from './order-run.ts'
import { selfSignedCertificate } from './self-signed.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import { type Lease, LeaseLost } from './store/entry-store.ts'
import { entryName } from './store/records.ts'
import { validityOf } from './stored-certificate.ts'
import type { TicketKeySchedule } from './ticket-key-schedule.ts'

/** What the certificates are for: the workers. */
export interface CertificateUsers {
  show(certificates: readonly ServerCertificate[]): void
  /** Resolves when every worker answers challenges so. */
  answerChallenges(challenges: Challenges): Promise<void>
}

/** What is known of the certificate for one domain. Times are milliseconds since 1970. */
export interface CertificateState {
  readonly domain: string
  /** URL of the directory of the authority, or `imported`; undefined as long as there is no certificate. */
  readonly authority: string | undefined
  readonly issuedAt: number | undefined
  readonly expiresAt: number | undefined
  /** When it is ordered or renewed next. */
  readonly dueAt: number
  /** Failed attempts since the last that succeeded, and what the last one failed with. */
  readonly failures: number
  readonly lastError: string | undefined
}

export interface OrderedCertificatesOptions {
  readonly repository: CertificateRepository
  readonly users: CertificateUsers
  readonly clock: Clock
  readonly log: Pick<ErrorLog, 'write'>
  /** From 0 up to, without, 1. */
  readonly random: () => number
  /** Milliseconds between looks at what other nodes have written. */
  readonly lookEvery: number
  readonly dns?: (settings: AcmeSettings) => Promise<ChallengeSolver | undefined>
  readonly preflight?: (
    settings: AcmeSettings,
    domain: string,
    authority: AcmeAuthority,
  ) => Promise<string | undefined>
  /** Undefined where session tickets are each node's own. */
  readonly ticketKeys?: TicketKeySchedule
}

const longestSleep = 3_600_000 // the time of day may be set meanwhile
const leaseRetry = 2_000

/**
 * One node's part in ordering, keeping and renewing certificates. All nodes show what the store holds; the one that
 * gets the lease when something is due does the work.
 */
export class OrderedCertificates {
  readonly #options: OrderedCertificatesOptions
  readonly #selfSigned = new Map<string, ServerCertificate>()
  readonly #forced = new Set<string>()
  #domains: readonly string[] = []
  #isTold = false
  #settings: AcmeSettings | undefined
  #authorities: readonly AcmeAuthority[] = []
  #cancelSleep: (() => void) | undefined
  #cancelLook: (() => void) | undefined
  #notBefore = 0
  #work: Promise<void> | undefined
  #lease: Lease | undefined
  #trouble: string | undefined
  /** What work under the lease failed with last, which is told of once. */
  #failure: string | undefined
  #isOpen = false
  #closed = false

  constructor(options: OrderedCertificatesOptions) {
    this.#options = options
  }

  /** Of the domains that are wanted, and of certificates that were imported. */
  get states(): readonly CertificateState[] {
    const { clock, repository } = this.#options
    const wanted = new Set(this.#domains)
    const imported = repository.certificates.filter(({ authority }) => authority === 'imported')
    const domains = new Set([...this.#domains, ...imported.map(({ domain }) => domain)])
    return [...domains].sort().map((domain) => {
      const stored = repository.certificate(domain)
      const progress = repository.progress(domain)
      return {
        domain,
        authority: stored?.authority,
        issuedAt: stored?.issuedAt,
        expiresAt: stored && validityOf(stored.certificate).notAfter,
        dueAt: wanted.has(domain) ? Math.max(this.#dueAt(domain), clock.now()) : Number.POSITIVE_INFINITY,
        failures: progress?.failures ?? 0,
        lastError: progress?.lastError,
      }
    })
  }

  /** Domains that are ordered and renewed. */
  get wanted(): readonly string[] {
    return this.#domains
  }

  /** Why the store cannot be used at the moment, if so: what is known of it stays in use. */
  get storeError(): string | undefined {
    return this.#trouble
  }

  /**
   * Takes up settings and domains; resolves when what is kept of their certificates is shown. What is missing or due
   * is ordered behind it. Rejected where the certificate of an authority's server cannot be read.
   */
  async apply(settings: AcmeSettings | undefined, domains: readonly string[]): Promise<void> {
    this.#authorities = settings ? this.#newAuthorities(settings) : []
    this.#settings = settings
    this.#domains = domains
    this.#isTold = true
    await this.open()
    await this.#show()
    this.#wake()
  }

  /**
   * Takes up what the store holds, and from then on what changes there; done by `apply` where it was not. All of it is
   * shown until `apply` says which domains are wanted: a node that starts has them before it listens.
   */
  async open(): Promise<void> {
    if (this.#isOpen) return
    this.#isOpen = true
    await this.#options.repository.recall()
    await this.#look()
    await this.#show()
  }

  /** Resolves when nothing is due at this moment and what was begun has ended. */
  async settled(): Promise<void> {
    while (this.#work) await this.#work
  }

  /** Orders these domains anew, however long their certificates last; all where they are left out. */
  renew(domains: readonly string[] = this.#domains): void {
    for (const domain of domains) if (this.#domains.includes(domain)) this.#forced.add(domain)
    this.#wake()
  }

  /**
   * Does something with the lease, as soon as no work is under way on this node.
   * Rejected where another node holds it, or the store is out of reach.
   */
  async withLease<Result>(act: (lease: Lease) => Promise<Result>): Promise<Result> {
    await this.settled()
    const lease = await this.#options.repository.acquire()
    if (!lease) throw new Error('another node is at work on the certificates; try again in a minute')
    try {
      await this.#synchronizeToWrite()
      return await act(lease)
    } finally {
      await lease.release()
      await this.#show()
      this.#wake()
    }
  }

  /** The authority with this directory, where the settings have it. */
  authority(directory: string): AcmeAuthority | undefined {
    return this.#authorities.find((one) => one.directory === directory)
  }

  /** Lets go of the lease, so that another node goes on with what is under way here. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSleep?.()
    this.#cancelLook?.()
    await this.#lease?.release()
    await this.#options.repository.close()
  }

  /** Those that stay keep what they know of their account. */
  #newAuthorities(settings: AcmeSettings): readonly AcmeAuthority[] {
    if (JSON.stringify(settings.authorities) === JSON.stringify(this.#settings?.authorities))
      return this.#authorities
    return settings.authorities.map((one) => new AcmeAuthority(one, this.#options.clock))
  }

  /** Looks for what others have written, again and again. */
  async #look(): Promise<void> {
    const { clock, lookEvery } = this.#options
    this.#cancelLook?.()
    const changed = await this.#synchronize()
    if (changed) {
      await this.#show()
      this.#wake()
    }
    if (!this.#closed) this.#cancelLook = clock.wakeAfter(changed ? 0 : lookEvery, () => void this.#look())
  }

  async #synchronizeToWrite(): Promise<void> {
    const { repository } = this.#options
    await repository.synchronize()
    if (repository.lockedOut !== undefined) throw new Error(repository.lockedOut)
  }

  /** @returns whether something is new; false where the store is out of reach, which is told of once */
  async #synchronize(): Promise<boolean> {
    const { log, repository } = this.#options
    try {
      const changed = await repository.synchronize()
      if (this.#trouble !== undefined && repository.lockedOut === undefined)
        log.write('info', 'certificate store answers again')
      else if (this.#trouble === undefined && repository.lockedOut !== undefined)
        log.write('error', 'certificate store has entries that this node cannot read', {
          reason: repository.lockedOut,
        })
      this.#trouble = repository.lockedOut
      return changed.length > 0
    } catch (error) {
      const reason = (error as Error).message
      if (this.#trouble === undefined && !this.#closed)
        log.write('error', 'certificate store out of reach; what is known of it stays in use', { reason })
      this.#trouble = reason
      return false
    }
  }

  /** Gives the workers what there is; resolves when they answer challenges so. */
  async #show(): Promise<void> {
    const { clock, log, repository, ticketKeys, users } = this.#options
    const wanted = new Set(this.#domains)
    const stored = repository.certificates.filter(
      (one) => !this.#isTold || wanted.has(one.domain) || one.authority === 'imported',
    )
    const shown = stored.map(({ domain, certificate, key }) => {
      return { name: `stored:${domain}`, hosts: certificateHosts(certificate), certificate, key }
    })
    const hosts = new Set(shown.flatMap((one) => one.hosts))
    const missing =
      this.#settings?.on_missing === 'self-signed' ? this.#domains.filter((one) => !hosts.has(one)) : []
    for (const domain of this.#selfSigned.keys())
      if (!missing.includes(domain)) this.#selfSigned.delete(domain)
    for (const domain of missing) {
      if (!this.#selfSigned.has(domain))
        this.#selfSigned.set(domain, await selfSignedCertificate(domain, clock.now()))
    }
    users.show([...shown, ...this.#selfSigned.values()])
    const { http, tls } = repository.challenges
    ticketKeys?.show(repository.ticketKeys)
    const challenges = { http: new Map(Object.entries(http)), tls: new Map(Object.entries(tls)) }
    await users.answerChallenges(challenges).catch((error) => {
      log.write('error', 'challenges not taken up', { reason: (error as Error).message })
    })
  }

  #dueAt(domain: string): number {
    const { repository } = this.#options
    const stored = repository.certificate(domain)
    const progress = repository.progress(domain)
    if (this.#forced.has(domain)) return 0
    if (progress && progress.failures > 0) return progress.nextAt
    const isNow = !stored || progress?.order
    return isNow || repository.isDamaged(entryName.certificate(domain)) ? 0 : stored.renewAt
  }

  /** When something is to be done under the lease. */
  get #nextAt(): number {
    const { repository, ticketKeys } = this.#options
    const times = this.#domains.map((domain) =>
      Math.min(this.#dueAt(domain), repository.certificate(domain)?.askAt ?? Number.POSITIVE_INFINITY),
    )
    return Math.min(...times, ticketKeys?.dueAt(repository.ticketKeys) ?? Number.POSITIVE_INFINITY)
  }

  /** Works where something is due, unless it does already; else sleeps until the next is. */
  #wake(): void {
    this.#cancelSleep?.()
    if (this.#closed || this.#work || !this.#isOpen) return
    const { clock } = this.#options
    const next = Math.max(this.#nextAt, this.#notBefore)
    if (next === Number.POSITIVE_INFINITY) return
    const delay = next - clock.now()
    if (delay > 0) {
      this.#cancelSleep = clock.wakeAfter(Math.min(delay, longestSleep), () => this.#wake())
      return
    }
    this.#work = this.#workUnderLease().finally(() => {
      this.#work = undefined
      this.#wake()
    })
  }

  async #workUnderLease(): Promise<void> {
    const { clock, log, repository } = this.#options
    this.#notBefore = clock.now() + leaseRetry
    try {
      const lease = await repository.acquire()
      if (!lease) return
      this.#lease = lease
      if (this.#closed) return
      await this.#synchronizeToWrite() // what another has done is not done twice
      await this.#mend(lease)
      await this.#do(lease)
      this.#notBefore = 0
      this.#failure = undefined
    } catch (error) {
      const reason = (error as Error).message
      if (this.#closed || reason === this.#failure) return
      this.#failure = reason
      const event =
        error instanceof LeaseLost ? 'lease of the certificate store lost' : 'certificate store failed'
      log.write('warn', event, { reason })
    } finally {
      await this.#lease?.release()
      this.#lease = undefined
      if (!this.#closed) await this.#show()
    }
  }

  async #mend(lease: Lease): Promise<void> {
    const { log, repository } = this.#options
    for (const domain of this.#domains)
      if (repository.isDamaged(entryName.certificate(domain))) this.#forced.add(domain)
    for (const [entry, aside] of await repository.mend(lease))
      log.write('error', 'damaged entry of the certificate store put aside', { entry, aside })
    const { http, tls } = repository.challenges
    if (Object.keys(http).length + Object.keys(tls).length > 0)
      await repository.write(lease, [[entryName.challenges, undefined]]) // of a node that died
  }

  async #do(lease: Lease): Promise<void> {
    const { clock, log, preflight, random, repository, ticketKeys } = this.#options
    await ticketKeys?.rotate(repository, lease)
    const settings = this.#settings
    if (!settings) return
    const run = new OrderRun({
      repository,
      lease,
      settings,
      authorities: this.#authorities,
      clock,
      log,
      random,
      dns: await this.#options.dns?.(settings),
      preflight: async (domain, authority) => preflight?.(settings, domain, authority),
      onChange: () => this.#show(),
    })
    const now = clock.now()
    for (const domain of this.#domains) {
      const stored = repository.certificate(domain)
      if (stored?.askAt !== undefined && stored.askAt <= now) await run.askWhenToRenew(stored)
    }
    const due = this.#domains.filter((domain) => this.#dueAt(domain) <= clock.now())
    for (const domain of due) this.#forced.delete(domain)
    await run.orderAll(due)
  }
}
