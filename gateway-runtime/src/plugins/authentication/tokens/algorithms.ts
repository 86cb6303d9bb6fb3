import { createPublicKey, type KeyObject } from 'node:crypto'

/** Of signatures of tokens (RFC 7518 section 3.1, RFC 8037 section 3.1). `none` is not among them. */
export const algorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
export type Algorithm = (typeof algorithms)[number]

export const isSymmetric = (algorithm: Algorithm): boolean => algorithm.startsWith('HS')

/** What a secret has at least (RFC 7518 section 3.2), in bytes. */
export const shortestSecret = (algorithm: Algorithm): number => Number(algorithm.substring(2)) / 8

const curves: Partial<Record<Algorithm, string>> = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
}

/** Reads a public key, or that of a certificate, from PEM text. Undefined where it is none, or a private one. */
export function readPublicKey(pem: string): KeyObject | undefined {
  if (pem.includes('PRIVATE KEY')) return undefined
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}

/** Why a key cannot verify what an algorithm signs; undefined where it can. */
export function keyProblem(key: KeyObject, algorithm: Algorithm): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const curve = curves[algorithm]
  if (curve !== undefined)
    return details?.namedCurve === curve ? undefined : `${algorithm} needs a key on the curve ${curve}`
  if (algorithm === 'EdDSA') return type === 'ed25519' ? undefined : 'EdDSA needs an Ed25519 key'
  if (type !== 'rsa') return `${algorithm} needs an RSA key`
  return (details?.modulusLength ?? 0) >= 2_048 ? undefined : 'an RSA key has at least 2048 bits'
}
