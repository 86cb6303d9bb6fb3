import { X509Certificate } from 'node:crypto'
import { type AcmeConnection, AcmeProblem } from './acme-connection.ts'
import { renewalInfoReply } from './acme-schemas.ts'

/** When an authority suggests to renew a certificate. Milliseconds since 1970. */
export interface RenewalInfo {
  readonly start: number
  readonly end: number
  /** Milliseconds after which it wants to be asked again. */
  readonly askAfter: number
}

const shortest = 3_600_000
const longest = 86_400_000
const usual = 6 * 3_600_000

/**
 * What an authority calls a certificate (RFC 9773 section 4.1): key identifier of its issuer and serial number, in
 * base64url. Undefined where it has no such identifier.
 */
export function certificateId(pem: string): string | undefined {
  const { serialNumber, raw } = new X509Certificate(pem)
  const issuer = authorityKeyIdentifier(raw)
  if (!issuer) return undefined
  const even = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`
  const bytes = Buffer.from(even, 'hex')
  // As DER has it: a zero in front where the first bit would make it negative.
  const serial = bytes[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
  return `${issuer.toString('base64url')}.${serial.toString('base64url')}`
}

/** keyIdentifier of the extension 2.5.29.35 (RFC 5280 section 4.2.1.1), which is short: lengths have one byte. */
function authorityKeyIdentifier(der: Buffer): Buffer | undefined {
  const at = der.indexOf(Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23, 0x04]))
  if (at < 0) return undefined
  const value = der.subarray(at + 7, at + 7 + der[at + 6]!)
  if (value[0] !== 0x30 || value[2] !== 0x80) return undefined
  return value.subarray(4, 4 + value[3]!)
}

/** Asks for the window; undefined where the authority has none, or does not know the certificate. */
export async function askRenewalInfo(
  connection: AcmeConnection,
  certificate: string,
): Promise<RenewalInfo | undefined> {
  const { renewalInfo } = await connection.directory()
  const id = certificateId(certificate)
  if (renewalInfo === undefined || id === undefined) return undefined
  const reply = await connection.get(`${renewalInfo.replace(/\/$/, '')}/${id}`).catch((error) => {
    if (error instanceof AcmeProblem && error.status >= 400 && error.status < 500) return undefined
    throw error
  })
  if (!reply) return undefined
  const { start, end } = renewalInfoReply.parse(reply.body).suggestedWindow
  const askAfter = Math.min(Math.max(reply.retryAfter ?? usual, shortest), longest)
  return { start: Date.parse(start), end: Date.parse(end), askAfter }
}
