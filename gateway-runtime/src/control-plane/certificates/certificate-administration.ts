import type { AccountKeeper } from './acme/acme-account.ts'
import type { CertificateState } from './certificate-state.ts'
import { checkImport } from './import-checks.ts'
import type { OrderedCertificates } from './ordered-certificates.ts'
import { renewalTime } from './renewal-time.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import type { Lease } from './store/entry-store.ts'
import { entryName } from './store/records.ts'
import { validityOf } from './stored-certificate.ts'

/** What operators do with certificates, beside what happens by itself. Each is rejected with what was wrong. */
export class CertificateAdministration {
  readonly #certificates: OrderedCertificates
  readonly #repository: CertificateRepository

  constructor(certificates: OrderedCertificates, repository: CertificateRepository) {
    this.#certificates = certificates
    this.#repository = repository
  }

  get states(): readonly CertificateState[] {
    return this.#certificates.states
  }

  /**
   * Orders now what the authorities have not certified yet, or, with `anew`, all of these.
   * @param domains - left out: all that are wanted
   * @returns those that are ordered; throws where one is not among those that the gateway orders
   */
  order(domains: readonly string[] | undefined, anew: boolean): readonly string[] {
    const { wanted } = this.#certificates
    const unknown = domains?.find((domain) => !wanted.includes(domain))
    if (unknown !== undefined)
      throw new Error(
        `${unknown} is not ordered by this gateway; add it to acme.domains, or to the hosts of a route`,
      )
    const chosen = (domains ?? wanted).filter((domain) => anew || !this.#repository.certificate(domain))
    this.#certificates.renew(chosen)
    return chosen
  }

  /**
   * Has the authority take back the certificate of a domain, and orders another one, which takes its place as soon as it
   * is there.
   * @param reason - code of RFC 5280 section 5.3.1
   */
  async revoke(domain: string, reason: number): Promise<void> {
    const stored = this.#repository.certificate(domain)
    if (!stored) throw new Error(`there is no certificate for ${domain}`)
    const authority = this.#certificates.authority(stored.authority)
    if (!authority)
      throw new Error(
        `the certificate for ${domain} is of ${stored.authority}, which acme.authorities does not have`,
      )
    await this.#certificates.withLease((lease) =>
      authority.revoke(stored.certificate, reason, this.#accounts(lease)),
    )
    this.#certificates.renew([domain])
  }

  /**
   * Keeps a certificate of another authority and shows it for its names.
   * @returns its names, and what an operator should know
   */
  async import(
    certificate: string,
    key: string,
  ): Promise<{ readonly hosts: readonly string[]; readonly warnings: readonly string[] }> {
    const now = Date.now()
    const checked = checkImport(certificate, key, now)
    const domain = checked.hosts[0]!
    const renewAt = renewalTime(validityOf(certificate), now, 0)
    const record = { domain, certificate, key, authority: 'imported', issuedAt: now, renewAt }
    await this.#certificates.withLease((lease) =>
      this.#repository.write(lease, [[entryName.imported(domain), record]]),
    )
    return checked
  }

  /** Gives the account at an authority a new key. */
  async rollOverKey(directory: string): Promise<void> {
    const authority = this.#certificates.authority(directory)
    if (!authority) throw new Error(`acme.authorities has no ${directory}`)
    await this.#certificates.withLease((lease) => authority.rollOverKey(this.#accounts(lease)))
  }

  #accounts(lease: Lease): AccountKeeper {
    return {
      account: (directory) => this.#repository.account(directory),
      save: async (directory, account) =>
        void (await this.#repository.write(lease, [[entryName.account(directory), account]])),
    }
  }
}
