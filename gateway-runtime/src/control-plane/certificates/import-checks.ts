import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { authoritiesOf, certificateHosts } from '../../config/tls-files.ts'

/** A certificate that was found right, with what an operator should know of it. */
export interface ImportableCertificate {
  /** In the order of the certificate; at least one. */
  readonly hosts: readonly string[]
  readonly warnings: readonly string[]
}

/** What was given cannot be used; the message says why and what to do. */
export class UnusableCertificate extends Error {
  override readonly name = 'UnusableCertificate'
}

const day = 86_400_000
const fewDays = 30
const weakestRsa = 2_048
/** P-256, P-384 and P-521: what clients take for the key of a server (RFC 8446 section 4.2.3). */
const curves = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const forServers = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']) // serverAuth, any: RFC 5280 section 4.2.1.12
const mustStaple = Buffer.from('06082b06010505070118', 'hex') // object identifier in DER: RFC 7633 section 4

/**
 * Checks what is to be imported: that the chain is one, the key fits, there are names, it is for servers, it is valid
 * now, and no algorithm is weak.
 * @param chain - PEM, the certificate of the server first
 * @param key - PEM
 * @param now - milliseconds since 1970
 * @throws UnusableCertificate
 */
export function checkImport(chain: string, key: string, now: number): ImportableCertificate {
  const certificates = readChain(chain)
  const [own, ...issuers] = certificates as [X509Certificate, ...X509Certificate[]]
  if (!own.checkPrivateKey(readKey(key)))
    throw new UnusableCertificate(
      'the private key is not that of the first certificate; give the key it was made with',
    )
  checkLinks(certificates)
  const hosts = certificateHosts(chain)
  if (hosts.length === 0)
    throw new UnusableCertificate('the certificate has no DNS name (subjectAltName); clients would refuse it')
  if (own.keyUsage && !own.keyUsage.some((purpose) => forServers.has(purpose)))
    throw new UnusableCertificate(
      'the certificate is not for servers (extendedKeyUsage without serverAuth); have one made for that',
    )
  for (const certificate of certificates) checkTimes(certificate, now)
  for (const certificate of certificates) checkStrength(certificate)
  const days = Math.floor((own.validToDate.getTime() - now) / day)
  return {
    hosts,
    warnings: [
      ...(days < fewDays ? [`it expires in ${days} days`] : []),
      ...(issuers.length === 0 && !own.verify(own.publicKey)
        ? ['there is no intermediate certificate behind it: clients that do not know its issuer refuse it']
        : []),
      ...(own.raw.includes(mustStaple)
        ? ['it demands OCSP stapling, which the gateway does not do: clients that insist on it refuse it']
        : []),
    ],
  }
}

function readChain(chain: string): X509Certificate[] {
  try {
    return authoritiesOf(chain).map((block) => new X509Certificate(block))
  } catch (error) {
    throw new UnusableCertificate(`the certificate cannot be read: ${(error as Error).message}`)
  }
}

function readKey(key: string): KeyObject {
  try {
    return createPrivateKey(key)
  } catch {
    throw new UnusableCertificate('the private key cannot be read: expected PEM without a passphrase')
  }
}

function checkLinks(certificates: readonly X509Certificate[]): void {
  for (const [index, issuer] of certificates.slice(1).entries()) {
    const issued = certificates[index]!
    if (!issued.checkIssued(issuer) || !issued.verify(issuer.publicKey))
      throw new UnusableCertificate(
        `certificate ${index + 2} of the chain did not issue certificate ${index + 1}; put them in order, each before its issuer`,
      )
    if (!issuer.ca)
      throw new UnusableCertificate(
        `certificate ${index + 2} of the chain may not issue others (it is no CA)`,
      )
  }
}

const nameOf = ({ subject, subjectAltName }: X509Certificate) =>
  (subject || subjectAltName || 'a certificate').replaceAll('\n', ', ')

function checkTimes(certificate: X509Certificate, now: number): void {
  const { validFromDate, validToDate } = certificate
  if (validToDate.getTime() <= now)
    throw new UnusableCertificate(`${nameOf(certificate)} has expired on ${validToDate.toISOString()}`)
  if (validFromDate.getTime() > now)
    throw new UnusableCertificate(
      `${nameOf(certificate)} is valid only from ${validFromDate.toISOString()} on`,
    )
}

function checkStrength(certificate: X509Certificate): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey
  const what = nameOf(certificate)
  if (type === 'rsa' && (details?.modulusLength ?? 0) < weakestRsa)
    throw new UnusableCertificate(
      `${what} has an RSA key of ${details?.modulusLength} bits; ${weakestRsa} are the least`,
    )
  if (type === 'ec' && !curves.has(details?.namedCurve ?? ''))
    throw new UnusableCertificate(
      `${what} has a key on the curve ${details?.namedCurve}; clients take P-256, P-384 and P-521`,
    )
  if (type === 'dsa') throw new UnusableCertificate(`${what} has a DSA key, which no client takes`)
  const isRoot = certificate.checkIssued(certificate) // its signature counts for nothing
  if (!isRoot && /md5|sha1(?!\d)/i.test(certificate.signatureAlgorithm ?? ''))
    throw new UnusableCertificate(`${what} is signed with ${certificate.signatureAlgorithm}, which is broken`)
}
