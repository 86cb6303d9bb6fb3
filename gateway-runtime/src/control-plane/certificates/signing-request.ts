import '../reflect-metadata.ts'
import { createPrivateKey, generateKeyPair, webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import type { AcmeSettings } from '../../config/acme-settings.ts'

// Loaded only now: it needs what reflect-metadata.ts sets.
const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import('../x509.ts')

const generate = promisify(generateKeyPair)
const encoding = { type: 'pkcs8', format: 'pem' } as const

/** A new private key, in PEM (PKCS #8). */
export async function newPrivateKey(keyType: AcmeSettings['key_type']): Promise<string> {
  const [kind, size] = keyType.split('-') as ['ecdsa', 'p256' | 'p384'] | ['rsa', string]
  const { privateKey } =
    kind === 'ecdsa'
      ? await generate('ec', { namedCurve: size === 'p256' ? 'P-256' : 'P-384' })
      : await generate('rsa', { modulusLength: Number(size) })
  return String(privateKey.export(encoding))
}

/**
 * A request for a certificate (RFC 2986) with these names as alternative names.
 * @param key - in PEM
 * @returns DER
 */
export async function newSigningRequest(domains: readonly string[], key: string): Promise<Buffer> {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key)
  const isP384 = asymmetricKeyDetails?.namedCurve === 'secp384r1'
  const algorithm =
    asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: isP384 ? 'P-384' : 'P-256', hash: isP384 ? 'SHA-384' : 'SHA-256' }
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const { kty, n, e, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey)
  const publicPart = kty === 'RSA' ? { kty, n: n!, e: e! } : { kty: kty!, crv: crv!, x: x!, y: y! }
  const publicKey = await webcrypto.subtle.importKey('jwk', publicPart, algorithm, true, ['verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension(domains.map((value) => ({ type: 'dns', value })))],
  })
  return Buffer.from(request.rawData)
}
