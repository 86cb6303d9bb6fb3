import '../../reflect-metadata.ts'
import { hash, webcrypto } from 'node:crypto'

// Loaded only now: it needs what reflect-metadata.ts sets.
const { Extension, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } = await import(
  '@peculiar/x509'
)

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const acmeIdentifier = '1.3.6.1.5.5.7.1.31'
const day = 86_400_000

/** What TLS-ALPN-01 is answered with (RFC 8737 section 3): self-signed, with the hash of the key authorization. */
export async function challengeCertificate(
  domain: string,
  keyAuthorization: string,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const digest = hash('sha256', keyAuthorization, 'buffer')
  const octetString = Buffer.concat([Buffer.from([0x04, digest.length]), digest])
  const now = Date.now()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['acme challenge'] }],
    notBefore: new Date(now - day),
    notAfter: new Date(now + day),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: domain }]),
      new Extension(acmeIdentifier, true, octetString),
    ],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certificate: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
}
