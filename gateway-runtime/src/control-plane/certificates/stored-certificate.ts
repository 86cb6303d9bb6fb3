import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { certificateHosts } from '../../config/tls-files.ts'

/** What is kept of a certificate that an authority has issued, or that was imported. */
export const storedCertificateSchema = z.strictObject({
  domain: z.string(),
  /** PEM texts: the chain, and the private key. */
  certificate: z.string(),
  key: z.string(),
  /** URL of the directory of its authority; `imported` where it came from elsewhere. */
  authority: z.string(),
  /** Milliseconds since 1970, like all times here. */
  issuedAt: z.number(),
  /** When it is renewed: chosen once, so that all nodes know the same. */
  renewAt: z.number(),
  /** When the authority is asked next for when to renew (RFC 9773); absent where it does not say. */
  askAt: z.number().optional(),
})

export type StoredCertificate = z.output<typeof storedCertificateSchema>

/** The wildcard whose certificate is for a host as well. */
export const wildcardOf = (host: string): string => host.replace(/^[^.]*/, '*')

/** From when to when a certificate is valid, in milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

/** Throws where the text holds no certificate. */
export function validityOf(certificate: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }
}

/** Throws, saying why, where certificate and key do not go together or are not for the domain. */
export function checkIssued({
  domain,
  certificate,
  key,
}: Pick<StoredCertificate, 'domain' | 'certificate' | 'key'>): void {
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the certificate is not for its private key')
  if (!certificateHosts(certificate).includes(domain)) throw new Error(`the certificate is not for ${domain}`)
}
