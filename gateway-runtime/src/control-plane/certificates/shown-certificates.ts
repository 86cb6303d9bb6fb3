import type { AcmeSettings } from '../../config/acme-settings.ts'
import { certificateHosts } from '../../config/tls-files.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { Challenges, ServerCertificate } from '../../worker-messages.ts'
import type { Clock } from './clock.ts'
import { selfSignedCertificate } from './self-signed.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import { wildcardOf } from './stored-certificate.ts'
import type { TicketKeySchedule } from './ticket-key-schedule.ts'

/** What the certificates are for: the workers. */
export interface CertificateUsers {
  show(certificates: readonly ServerCertificate[]): void
  /** Resolves when every worker answers challenges so. */
  answerChallenges(challenges: Challenges): Promise<void>
}

export interface ShownCertificatesOptions {
  readonly repository: CertificateRepository
  readonly users: CertificateUsers
  readonly clock: Clock
  readonly log: Pick<ErrorLog, 'write'>
  /** Undefined where session tickets are each node's own. */
  readonly ticketKeys?: TicketKeySchedule
}

/** Gives the workers what this node knows of the store, and self-signed certificates where the setting says so. */
export class ShownCertificates {
  readonly #options: ShownCertificatesOptions
  readonly #selfSigned = new Map<string, ServerCertificate>()

  constructor(options: ShownCertificatesOptions) {
    this.#options = options
  }

  /**
   * Shows all that is there by now; resolves when the workers answer challenges so.
   * @param domains - those that are wanted; all that are stored, where this is not known yet
   */
  async show(domains: readonly string[] | undefined, settings: AcmeSettings | undefined): Promise<void> {
    const { log, repository, ticketKeys, users } = this.#options
    const wanted = domains && new Set(domains)
    const standsIn = this.#standIns(domains ?? [])
    const stored = repository.certificates.filter(
      ({ domain, authority }) =>
        !wanted || wanted.has(domain) || authority === 'imported' || standsIn(domain),
    )
    const shown = stored.map(({ domain, certificate, key }) => {
      return { name: `stored:${domain}`, hosts: certificateHosts(certificate), certificate, key }
    })
    if (settings?.on_missing === 'self-signed') {
      const hosts = new Set(shown.flatMap((one) => one.hosts))
      await this.#makeSelfSigned(domains?.filter((domain) => !hosts.has(domain)) ?? [])
    } else this.#selfSigned.clear()
    users.show([...shown, ...this.#selfSigned.values()])
    ticketKeys?.show(repository.ticketKeys)
    const { http, tls } = repository.challenges
    const challenges = { http: new Map(Object.entries(http)), tls: new Map(Object.entries(tls)) }
    await users.answerChallenges(challenges).catch((error) => {
      log.write('error', 'challenges not taken up', { reason: (error as Error).message })
    })
  }

  /** Whether a certificate of before is shown until there is one for the wildcard above it, or for a name below it. */
  #standIns(domains: readonly string[]): (domain: string) => boolean {
    const missing = new Set(domains.filter((domain) => !this.#options.repository.certificate(domain)))
    const above = new Set([...missing].map(wildcardOf))
    return (domain) => missing.has(wildcardOf(domain)) || above.has(domain)
  }

  /** For these and no others; what is there stays. */
  async #makeSelfSigned(missing: readonly string[]): Promise<void> {
    for (const domain of this.#selfSigned.keys())
      if (!missing.includes(domain)) this.#selfSigned.delete(domain)
    for (const domain of missing) {
      if (!this.#selfSigned.has(domain))
        this.#selfSigned.set(domain, await selfSignedCertificate(domain, this.#options.clock.now()))
    }
  }
}
