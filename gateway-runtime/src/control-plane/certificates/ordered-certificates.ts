import type { AcmeSettings } from '../../config/acme-settings.ts'
import { AcmeAuthority } from './acme/acme-authority.ts'
import type { ChallengeSolver } from './acme/challenge-solver.ts'
import { type CertificateState, certificateStates, dueAt } from './certificate-state.ts'
import { OrderRun } from './order-run.ts'
import { ShownCertificates, type ShownCertificatesOptions } from './shown-certificates.ts'
import { type Lease, LeaseLost } from './store/entry-store.ts'
import { entryName } from './store/records.ts'
import { StoreWatch, type StoreWatchOptions } from './store-watch.ts'

export interface OrderedCertificatesOptions extends ShownCertificatesOptions, StoreWatchOptions {
  /** From 0 up to, without, 1. */
  readonly random: () => number
  readonly dns?: (settings: AcmeSettings) => Promise<ChallengeSolver | undefined>
  readonly preflight?: (
    settings: AcmeSettings,
    domain: string,
    authority: AcmeAuthority,
  ) => Promise<string | undefined>
}

const longestSleep = 3_600_000 // the time of day may be set meanwhile
const leaseRetry = 2_000
const unusedTime = 30 * 86_400_000

/**
 * One node's part in ordering, keeping and renewing certificates. All nodes show what the store holds; the one that
 * gets the lease when something is due does the work.
 */
export class OrderedCertificates {
  readonly #options: OrderedCertificatesOptions
  readonly #shown: ShownCertificates
  readonly #watch: StoreWatch
  readonly #forced = new Set<string>()
  /** Undefined until it is known what is wanted. */
  #domains: readonly string[] | undefined
  #settings: AcmeSettings | undefined
  #authorities: readonly AcmeAuthority[] = []
  /** URLs of theirs. */
  #directories: ReadonlySet<string> = new Set()
  #cancelSleep: (() => void) | undefined
  #notBefore = 0
  #work: Promise<void> | undefined
  #lease: Lease | undefined
  /** What work under the lease failed with last, which is told of once. */
  #failure: string | undefined
  #isOpen = false
  #closed = false

  constructor(options: OrderedCertificatesOptions) {
    this.#options = options
    this.#shown = new ShownCertificates(options)
    this.#watch = new StoreWatch(options, async () => {
      await this.#show()
      this.#wake()
    })
  }

  /** Of the domains that are wanted, and of certificates that were imported. */
  get states(): readonly CertificateState[] {
    const { clock, repository } = this.#options
    return certificateStates(this.wanted, (domain) => this.#dueAt(domain), repository, clock)
  }

  /** Domains that are ordered and renewed. */
  get wanted(): readonly string[] {
    return this.#domains ?? []
  }

  /**
   * Takes up settings and domains; resolves when what is kept of their certificates is shown. What is missing or due
   * is ordered behind it. Rejected where the certificate of an authority's server cannot be read.
   */
  async apply(settings: AcmeSettings | undefined, domains: readonly string[]): Promise<void> {
    this.#authorities = settings ? this.#newAuthorities(settings) : []
    this.#directories = new Set(this.#authorities.map(({ directory }) => directory))
    this.#settings = settings
    this.#domains = domains
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
    await this.#watch.look()
    await this.#show()
  }

  /** Resolves when nothing is due at this moment and what was begun has ended. */
  async settled(): Promise<void> {
    while (this.#work) await this.#work
  }

  /** Orders these domains anew, however long their certificates last; all where they are left out. */
  renew(domains: readonly string[] = this.wanted): void {
    for (const domain of domains) if (this.wanted.includes(domain)) this.#forced.add(domain)
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
    this.#watch.close()
    await this.#lease?.release()
    await this.#options.repository.close()
  }

  /** Those that stay keep what they know of their account. */
  #newAuthorities(settings: AcmeSettings): readonly AcmeAuthority[] {
    if (JSON.stringify(settings.authorities) === JSON.stringify(this.#settings?.authorities))
      return this.#authorities
    return settings.authorities.map((one) => new AcmeAuthority(one, this.#options.clock))
  }

  async #synchronizeToWrite(): Promise<void> {
    const { repository } = this.#options
    await repository.synchronize()
    if (repository.lockedOut !== undefined) throw new Error(repository.lockedOut)
  }

  #show(): Promise<void> {
    return this.#shown.show(this.#domains, this.#settings)
  }

  #dueAt(domain: string): number {
    return this.#forced.has(domain) ? 0 : dueAt(domain, this.#options.repository, this.#directories)
  }

  /** When something is to be done under the lease. */
  get #nextAt(): number {
    const { repository, ticketKeys } = this.#options
    const times = this.wanted.map((domain) =>
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
    for (const domain of this.wanted)
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
    await repository.prune(lease, clock.now() - unusedTime)
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
      onNoted: (domain) => void this.#forced.delete(domain),
    })
    await run.orderAll(this.wanted.filter((domain) => this.#dueAt(domain) <= clock.now()))
    const stored = this.wanted.flatMap((domain) => repository.certificate(domain) ?? [])
    await run.askWhenToRenew(stored.filter(({ askAt }) => askAt !== undefined && askAt <= clock.now()))
  }
}
