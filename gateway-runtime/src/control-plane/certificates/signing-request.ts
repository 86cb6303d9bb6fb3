import '../reflect-metadata.ts'
import { webcrypto } from 'node:crypto'
import type { AcmeSettings } from '../../config/acme-settings.ts'

// Loaded only now: it needs what reflect-metadata.ts sets.
const { PemConverter, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import(
  '@peculiar/x509'
)

const ecdsa = (namedCurve: string, hash: string) => ({ name: 'ECDSA', namedCurve, hash })
const rsa = (modulusLength: number) => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
})
const algorithms = {
  'ecdsa-p256': ecdsa('P-256', 'SHA-256'),
  'ecdsa-p384': ecdsa('P-384', 'SHA-384'),
  'rsa-2048': rsa(2_048),
  'rsa-4096': rsa(4_096),
} as const

/**
 * A new key and a request for a certificate for it (RFC 2986), with the domain as alternative name.
 * @returns the request in DER, the key in PEM (PKCS #8)
 */
export async function newSigningRequest(
  domain: string,
  keyType: AcmeSettings['key_type'],
): Promise<{ readonly request: Buffer; readonly key: string }> {
  const signingAlgorithm = algorithms[keyType]
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: keys as webcrypto.CryptoKeyPair,
    signingAlgorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: domain }])],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', (keys as webcrypto.CryptoKeyPair).privateKey)
  return { request: Buffer.from(request.rawData), key: `${PemConverter.encode(key, 'PRIVATE KEY')}\n` }
}
