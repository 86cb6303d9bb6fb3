import type { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../../plugins/contract.ts'

/** What is passed on of a certificate that a client has proven to hold. All texts are ASCII without control characters. */
export function describeClientCertificate(certificate: X509Certificate): ClientCertificate {
  return {
    subject: distinguishedName(certificate.subject ?? ''),
    names: alternativeNames(certificate.subjectAltName ?? ''),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

/** Node.js gives a part a line, escaped but for characters beyond ASCII; RFC 4514 has the last part first. */
const distinguishedName = (lines: string): string =>
  lines
    .split('\n')
    .reverse()
    .join(',')
    .replace(/[^\x20-\x7e]/gu, (character) => hexOf(character, '\\'))

/** `DNS:a.example.com`, `URI:spiffe://example.com/a`: what names a service; the other kinds are left out. */
function alternativeNames(text: string): string[] {
  // A name in which a comma could feign another one stands in quotes.
  const entries = text.matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)
  return [...entries].flatMap(([, type, name]) => {
    if (type !== 'DNS' && type !== 'URI') return []
    const plain = name!.startsWith('"') ? String(JSON.parse(name!)) : name!
    return [`${type}:${plain.replace(/[^\x21-\x2b\x2d-\x7e]/gu, (character) => hexOf(character, '%'))}`]
  })
}

/** Each byte of the UTF-8 of a character with a mark in front. */
const hexOf = (character: string, mark: string): string =>
  [...Buffer.from(character)].map((byte) => mark + byte.toString(16).toUpperCase().padStart(2, '0')).join('')
