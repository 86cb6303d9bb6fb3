import { constants, createHmac, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'
import { promisify } from 'node:util'

const verifyAside = promisify(verify)

/** Of HTTP signatures (RFC 9421 section 3.3). */
export const signatureAlgorithms = [
  'hmac-sha256',
  'rsa-pss-sha512',
  'ecdsa-p256-sha256',
  'ecdsa-p384-sha384',
  'ed25519',
] as const
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

const asymmetric = {
  'rsa-pss-sha512': {
    digest: 'sha512',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 },
  },
  'ecdsa-p256-sha256': { digest: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  'ecdsa-p384-sha384': { digest: 'sha384', options: { dsaEncoding: 'ieee-p1363' } },
  ed25519: { digest: null, options: {} },
} as const

/** Why a public or private key cannot be used so; undefined where it can. */
export function signatureKeyProblem(key: KeyObject, algorithm: SignatureAlgorithm): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  switch (algorithm) {
    case 'hmac-sha256':
      return 'hmac-sha256 goes by a secret'
    case 'ed25519':
      return type === 'ed25519' ? undefined : 'ed25519 needs an Ed25519 key'
    case 'ecdsa-p256-sha256':
      return details?.namedCurve === 'prime256v1' ? undefined : `${algorithm} needs a key on the curve P-256`
    case 'ecdsa-p384-sha384':
      return details?.namedCurve === 'secp384r1' ? undefined : `${algorithm} needs a key on the curve P-384`
    case 'rsa-pss-sha512':
      if (type !== 'rsa' && type !== 'rsa-pss') return `${algorithm} needs an RSA key`
      return (details?.modulusLength ?? 0) >= 2_048 ? undefined : 'an RSA key has at least 2048 bits'
  }
}

/** Whether a signature is right: at once for an HMAC, reckoned on another thread for the others. */
export function isSignature(
  base: string,
  signature: Buffer,
  key: KeyObject,
  algorithm: SignatureAlgorithm,
): boolean | Promise<boolean> {
  const data = Buffer.from(base, 'latin1')
  if (algorithm === 'hmac-sha256') {
    const right = createHmac('sha256', key).update(data).digest()
    return signature.length === right.length && timingSafeEqual(signature, right)
  }
  const { digest, options } = asymmetric[algorithm]
  return verifyAside(digest, data, { key, ...options }, signature)
}

/** Makes a signature. */
export function signatureOf(base: string, key: KeyObject, algorithm: SignatureAlgorithm): Buffer {
  const data = Buffer.from(base, 'latin1')
  if (algorithm === 'hmac-sha256') return createHmac('sha256', key).update(data).digest()
  const { digest, options } = asymmetric[algorithm]
  return sign(digest, data, { key, ...options })
}
