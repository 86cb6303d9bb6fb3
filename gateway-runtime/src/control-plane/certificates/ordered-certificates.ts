import type { AcmeSettings } from '../../config/acme-settings.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { ChallengeResponses, ServerCertificate } from '../../worker-messages.ts'
import { AcmeAuthority, ValidationFailed } from './acme-authority.ts'
import { AcmeProblem } from './acme-connection.ts'
import type { CertificateStorage } from './certificate-files.ts'
import type { Clock } from './clock.ts'
import { backoff, renewalTime } from './renewal-time.ts'
import { selfSignedCertificate } from './self-signed.ts'
import { checkIssued, type StoredCertificate, validityOf } from './stored-certificate.ts'

/** What the certificates are for: the workers. */
export interface CertificateUsers {
  show(certificates: readonly ServerCertificate[]): void
  /** Resolves when every worker answers challenges so. */
  answerChallenges(responses: ChallengeResponses): Promise<void>
}

/** What is known of the certificate for one domain. Times are milliseconds since 1970. */
export interface CertificateState {
  readonly domain: string
  /** URL of the directory of the authority; undefined as long as there is no certificate. */
  readonly authority: string | undefined
  readonly expiresAt: number | undefined
  /** When it is ordered or renewed next. */
  readonly dueAt: number
  /** Failed attempts since the last that succeeded, and what the last one failed with. */
  readonly failures: number
  readonly lastError: string | undefined
}

interface Entry {
  readonly domain: string
  stored: StoredCertificate | undefined
  selfSigned: ServerCertificate | undefined
  dueAt: number
  failures: number
  lastError: string | undefined
}

export interface OrderedCertificatesOptions {
  readonly storage: CertificateStorage
  readonly users: CertificateUsers
  readonly clock: Clock
  readonly log: Pick<ErrorLog, 'write'>
  /** From 0 up to, without, 1. */
  readonly random: () => number
}

const longestSleep = 3_600_000 // the time of day may be set meanwhile

/** Orders, keeps and renews a certificate for each domain that it is told of, one after another. */
export class OrderedCertificates {
  readonly #options: OrderedCertificatesOptions
  readonly #responses = new Map<string, string>()
  #entries = new Map<string, Entry>()
  #settings: AcmeSettings | undefined
  #authorities: readonly AcmeAuthority[] = []
  #cancelSleep: (() => void) | undefined
  #work: Promise<void> | undefined
  #closed = false

  constructor(options: OrderedCertificatesOptions) {
    this.#options = options
  }

  get states(): readonly CertificateState[] {
    return [...this.#entries.values()].map(({ domain, stored, dueAt, failures, lastError }) => ({
      domain,
      authority: stored?.authority,
      expiresAt: stored && validityOf(stored.certificate).notAfter,
      dueAt,
      failures,
      lastError,
    }))
  }

  /**
   * Takes up settings and domains; resolves when what is kept of their certificates is shown. What is missing or due
   * is ordered behind it. Rejected where the storage cannot be read or the certificate of an authority's server cannot.
   */
  async apply(settings: AcmeSettings | undefined, domains: readonly string[]): Promise<void> {
    const authorities = settings ? this.#newAuthorities(settings) : []
    const kept = domains.length > 0 ? await this.#options.storage.certificates() : []
    const byDomain = new Map(kept.map((certificate) => [certificate.domain, certificate]))
    const entries = new Map<string, Entry>()
    for (const domain of domains) {
      const entry = this.#entries.get(domain) ?? this.#newEntry(domain, byDomain.get(domain))
      entry.selfSigned =
        settings?.on_missing === 'self-signed' && !entry.stored
          ? (entry.selfSigned ?? (await selfSignedCertificate(domain, this.#options.clock.now())))
          : undefined
      entries.set(domain, entry)
    }
    this.#settings = settings
    this.#authorities = authorities
    this.#entries = entries
    this.#show()
    this.#wake()
  }

  /** Resolves when nothing is due at this moment and what was begun has ended. */
  async settled(): Promise<void> {
    while (this.#work) await this.#work
  }

  /** Begins nothing more. An order that is under way is left. */
  close(): void {
    this.#closed = true
    this.#cancelSleep?.()
  }

  /** Those that stay keep their account and what they know of it. */
  #newAuthorities(settings: AcmeSettings): readonly AcmeAuthority[] {
    if (JSON.stringify(settings.authorities) === JSON.stringify(this.#settings?.authorities))
      return this.#authorities
    const challenges = {
      add: async (token: string, keyAuthorization: string) => {
        this.#responses.set(token, keyAuthorization)
        await this.#options.users.answerChallenges(new Map(this.#responses))
      },
      remove: async (token: string) => {
        this.#responses.delete(token)
        await this.#options.users.answerChallenges(new Map(this.#responses))
      },
    }
    return settings.authorities.map(
      (one) => new AcmeAuthority(one, this.#options.storage, challenges, this.#options.clock),
    )
  }

  #newEntry(domain: string, stored: StoredCertificate | undefined): Entry {
    const dueAt = stored ? this.#renewalTime(stored) : this.#options.clock.now()
    return { domain, stored, selfSigned: undefined, dueAt, failures: 0, lastError: undefined }
  }

  #renewalTime({ certificate, issuedAt }: StoredCertificate): number {
    return renewalTime(validityOf(certificate), issuedAt, this.#options.random())
  }

  #show(): void {
    const shown = [...this.#entries.values()].flatMap(({ domain, stored, selfSigned }) => {
      if (!stored) return selfSigned ? [selfSigned] : []
      const { certificate, key } = stored
      return [{ name: `acme:${domain}`, hosts: [domain], certificate, key }]
    })
    this.#options.users.show(shown)
  }

  /** Works where something is due, unless it does already; else sleeps until the next is. */
  #wake(): void {
    this.#cancelSleep?.()
    if (this.#closed || this.#work || this.#entries.size === 0) return
    const next = Math.min(...[...this.#entries.values()].map(({ dueAt }) => dueAt))
    const delay = next - this.#options.clock.now()
    if (delay > 0) {
      const sleep = Math.min(delay, longestSleep)
      this.#cancelSleep = this.#options.clock.wakeAfter(sleep, () => this.#wake())
      return
    }
    this.#work = this.#orderDue().finally(() => {
      this.#work = undefined
      this.#wake()
    })
  }

  async #orderDue(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      const isDue = entry.dueAt <= this.#options.clock.now() && this.#entries.get(entry.domain) === entry
      if (isDue && !this.#closed) await this.#order(entry)
    }
  }

  async #order(entry: Entry): Promise<void> {
    const { clock, log, random, storage } = this.#options
    const { domain } = entry
    try {
      const issued = await this.#issue(domain)
      checkIssued(issued)
      await storage.putCertificate(issued)
      Object.assign(entry, { stored: issued, selfSigned: undefined, failures: 0, lastError: undefined })
      entry.dueAt = this.#renewalTime(issued)
      this.#show()
      const expires = new Date(validityOf(issued.certificate).notAfter).toISOString()
      log.write('info', 'certificate issued', { domain, authority: issued.authority, expires })
    } catch (error) {
      const retryAfter = error instanceof AcmeProblem ? error.retryAfter : undefined
      entry.failures++
      entry.lastError = (error as Error).message
      entry.dueAt = clock.now() + backoff(entry.failures, retryAfter, random())
      const next = new Date(entry.dueAt).toISOString()
      log.write('error', 'certificate not issued', { domain, reason: entry.lastError, next })
    }
  }

  /** Asks the authorities in their order; rejected with what the last one failed with. */
  async #issue(domain: string): Promise<StoredCertificate> {
    const { clock, log } = this.#options
    let failure: unknown
    for (const authority of this.#authorities) {
      try {
        const pair = await authority.issue(domain, this.#settings!.key_type)
        return { domain, ...pair, authority: authority.directory, issuedAt: clock.now() }
      } catch (error) {
        failure = error
        const reason = (error as Error).message
        log.write('warn', 'authority failed', { domain, authority: authority.directory, reason })
        if (error instanceof ValidationFailed) break
      }
    }
    throw failure
  }
}
