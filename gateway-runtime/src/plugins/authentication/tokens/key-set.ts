import type { JSONWebKeySet } from 'jose'
import { createLocalJWKSet } from 'jose'

const mostKeys = 1_000
/** Members of JSON Web Keys that no public key has (RFC 7518 section 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** The public keys of a JSON Web Key Set (RFC 7517); throws where there is none among what was given. */
export function publicKeys(value: unknown): JSONWebKeySet {
  const keys = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : undefined
  if (!Array.isArray(keys)) throw new Error('this is no JSON Web Key Set: it has no list of keys')
  if (keys.length > mostKeys) throw new Error(`a key set has at most ${mostKeys} keys`)
  const found = keys.filter((key) => isPublicKey(key))
  if (found.length === 0) throw new Error('the key set has no public key')
  const set = { keys: found } as JSONWebKeySet
  createLocalJWKSet(set)
  return set
}

function isPublicKey(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false
  const { kty, use } = key as { kty?: unknown; use?: unknown }
  if (typeof kty !== 'string' || kty === 'oct' || (use !== undefined && use !== 'sig')) return false
  return privateMembers.every((member) => !Object.hasOwn(key, member))
}
