import { hash, timingSafeEqual } from 'node:crypto'
import { isInnerList, parseDictionary } from './structured-fields.ts'

const algorithms = { 'sha-512': 'sha512', 'sha-256': 'sha256' } as const
type Algorithm = keyof typeof algorithms

/** Whether a Content-Digest field (RFC 9530) has a digest that can be checked, and all that can be are the body's. */
export function isDigestOf(body: Buffer, field: string): boolean {
  let checked = 0
  for (const [name, member] of parseDictionary(field) ?? []) {
    if (!Object.hasOwn(algorithms, name)) continue
    if (isInnerList(member) || member.bare.type !== 'bytes') return false
    const right = digest(body, name as Algorithm)
    const given = member.bare.value
    if (given.length !== right.length || !timingSafeEqual(given, right)) return false
    checked++
  }
  return checked > 0
}

/** The field for a body. */
export const contentDigest = (body: Buffer): string =>
  `sha-256=:${digest(body, 'sha-256').toString('base64')}:`

const digest = (body: Buffer, algorithm: Algorithm): Buffer => hash(algorithms[algorithm], body, 'buffer')
