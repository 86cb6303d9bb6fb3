import '../reflect-metadata.ts'
import { webcrypto } from 'node:crypto'
import type { ServerCertificate } from '../../worker-messages.ts'

// Loaded only now: it needs what reflect-metadata.ts sets.
const { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } = await import(
  '@peculiar/x509'
)

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const lifetime = 7 * 86_400_000

/** A certificate that says nothing but a name, for a domain that no authority has certified yet; its key is on no disk. */
export async function selfSignedCertificate(domain: string, now: number): Promise<ServerCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [domain.length <= 64 ? domain : 'self-signed'] }],
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + lifetime),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: domain }])],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    name: `self-signed:${domain}`,
    hosts: [domain],
    certificate: certificate.toString('pem'),
    key: PemConverter.encode(key, 'PRIVATE KEY'),
  }
}
