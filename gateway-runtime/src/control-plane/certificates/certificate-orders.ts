import type { Configuration, Snapshot } from '../../config/index.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { TlsMaterial } from '../../worker-messages.ts'
import type { Redis } from '../redis/redis.ts'
import type { SessionTicketKeys } from '../session-ticket-keys.ts'
import type { Supervisor } from '../supervisor.ts'
import type { CertificateAdministration } from './certificate-administration.ts'
import type { CertificateState } from './certificate-state.ts'
import { needsCertificates } from './needs-certificates.ts'
import type { NodeCertificates } from './open-certificates.ts'
import { wantedDomains } from './wanted-domains.ts'

export interface CertificateOrdersOptions {
  /** The node's folder for what it keeps for itself. */
  readonly state: string
  readonly redis: Redis | undefined
  readonly errorLog: ErrorLog
  readonly supervisor: Supervisor
  readonly ticketKeys: SessionTicketKeys
}

/** The certificates that a node orders and keeps itself; what they take is loaded when it is first needed. */
export class CertificateOrders {
  readonly #options: CertificateOrdersOptions
  #opened: NodeCertificates | undefined
  #opening: Promise<NodeCertificates> | undefined

  constructor(options: CertificateOrdersOptions) {
    this.#options = options
  }

  get states(): readonly CertificateState[] {
    return this.#opened?.certificates.states ?? []
  }

  async administration(configuration: Configuration, snapshot: Snapshot): Promise<CertificateAdministration> {
    return (await this.#open(configuration, snapshot)).administration
  }

  /** Knows what this node may be asked by authorities, because another node has ordered: before it listens. */
  async prepare(configuration: Configuration, first: Snapshot): Promise<void> {
    if (needsCertificates(configuration, this.#options.state)) await this.#open(configuration, first)
  }

  /** Orders what a configuration wants and its files do not have. */
  async apply(configuration: Configuration, snapshot: Snapshot, tls: TlsMaterial): Promise<void> {
    const { acme } = configuration
    const { errorLog, state } = this.#options
    if (!this.#opened && !needsCertificates(configuration, state)) return
    const { domains, wildcards } = acme
      ? wantedDomains(acme, snapshot, tls.certificates)
      : { domains: [], wildcards: [] }
    if (wildcards.length > 0) {
      const hosts = wildcards.slice(0, 10).join(', ')
      errorLog.write('warn', 'no certificate is ordered for wildcard hosts: acme.dns is not set', { hosts })
    }
    const { certificates } = await this.#open(configuration, snapshot)
    await certificates.apply(acme, domains)
  }

  async close(): Promise<void> {
    await this.#opened?.certificates.close()
  }

  #open(configuration: Configuration, first: Snapshot): Promise<NodeCertificates> {
    this.#opening ??= this.#load(configuration, first)
    return this.#opening
  }

  async #load(configuration: Configuration, first: Snapshot): Promise<NodeCertificates> {
    const { state, redis, errorLog, supervisor, ticketKeys } = this.#options
    const current = () => supervisor.snapshot ?? first
    const { openCertificates } = await import('./open-certificates.ts')
    this.#opened = await openCertificates({
      ...configuration,
      state,
      redis,
      log: errorLog,
      dnsServers: () => current().dns.servers,
      ticketRotation: () => current().tls.ticket_rotation,
      users: {
        show: (certificates) => supervisor.useOrderedCertificates(certificates),
        answerChallenges: (challenges) => supervisor.answerChallenges(challenges),
        useTicketKeys: (keys) => ticketKeys.useShared(keys),
      },
    })
    await this.#opened.certificates.open()
    return this.#opened
  }
}
