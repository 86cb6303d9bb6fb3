import type { Clock } from './clock.ts'
import type { CertificateRepository } from './store/certificate-repository.ts'
import { entryName } from './store/records.ts'
import { validityOf } from './stored-certificate.ts'

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

/** Nodes whose configurations differ while a new one goes round must not order by turns. */
const pauseBetweenAuthorities = 600_000

/**
 * When a certificate is ordered or renewed next, by what the store says; 0: at once. One of an authority that is not
 * among these any more, such as one for trials, is replaced without waiting for its end.
 * @param authorities - URLs of their directories
 */
export function dueAt(
  domain: string,
  repository: CertificateRepository,
  authorities: ReadonlySet<string>,
): number {
  const stored = repository.certificate(domain)
  const progress = repository.progress(domain)
  if (progress && progress.failures > 0) return progress.nextAt
  const isNow = !stored || progress?.order
  if (isNow || repository.isDamaged(entryName.certificate(domain))) return 0
  const isOfOther = stored.authority !== 'imported' && !authorities.has(stored.authority)
  return isOfOther ? Math.min(stored.renewAt, stored.issuedAt + pauseBetweenAuthorities) : stored.renewAt
}

/**
 * Of the domains that are wanted, and of certificates that were imported, by name.
 * @param nextAt - when one is ordered next
 */
export function certificateStates(
  domains: readonly string[],
  nextAt: (domain: string) => number,
  repository: CertificateRepository,
  clock: Clock,
): readonly CertificateState[] {
  const wanted = new Set(domains)
  const imported = repository.certificates.filter(({ authority }) => authority === 'imported')
  const all = new Set([...domains, ...imported.map(({ domain }) => domain)])
  return [...all].sort().map((domain) => {
    const stored = repository.certificate(domain)
    const progress = repository.progress(domain)
    return {
      domain,
      authority: stored?.authority,
      issuedAt: stored?.issuedAt,
      expiresAt: stored && validityOf(stored.certificate).notAfter,
      dueAt: wanted.has(domain) ? Math.max(nextAt(domain), clock.now()) : Number.POSITIVE_INFINITY,
      failures: progress?.failures ?? 0,
      lastError: progress?.lastError,
    }
  })
}
