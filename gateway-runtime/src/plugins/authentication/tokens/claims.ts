import type { Consumer } from '../../contract.ts'

export type Claims = Readonly<Record<string, unknown>>

const longestName = 512
const mostGroups = 256

/** A claim by its name, or by a path of names with dots: `realm_access.roles`. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Claims)[name]
  }
  return value
}

/** The scopes of a token: `scope` of RFC 8693 section 4.2, or `scp`, as text or list. */
export function scopesOf({ scope, scp }: Claims): string[] {
  return [scope, scp].flatMap((value) => {
    if (typeof value === 'string') return value.split(' ')
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
  })
}

/**
 * A claim as the value of a header: texts, numbers and booleans as they are, lists with commas between, other things
 * as JSON. What is not visible ASCII or a space becomes %XX of UTF-8. Undefined for nothing, and for what is too long.
 */
export function claimText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  const text =
    Array.isArray(value) && value.every((item) => typeof item !== 'object')
      ? value.join(', ')
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
  const plain = inAscii(text, /[^\x20-\x7e]/gu)
  return plain.length <= 4_096 ? plain : undefined
}

/**
 * Who the subject of a token is, where no consumer of the configuration has it: named by issuer and subject, so that
 * it can be taken for none of them. Undefined where the token names nobody.
 */
export function consumerOf(
  claims: Claims,
  subject: string,
  groupsClaim: string | undefined,
): Consumer | undefined {
  const issuer = typeof claims.iss === 'string' ? claims.iss : ''
  const name = inAscii(`${issuer}#${subject}`, /[^\x21-\x7e]/gu)
  if (name.length > longestName) return undefined
  const groups = groupsClaim === undefined ? undefined : claimAt(claims, groupsClaim)
  return { name, customId: undefined, groups: groupsOf(groups) }
}

/** The text or number that stands under a claim. */
export function subjectOf(claims: Claims, claim: string): string | undefined {
  const value = claimAt(claims, claim)
  return (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined
}

/** Names that cannot be taken for two. */
function groupsOf(value: unknown): string[] {
  const all = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  return all
    .filter((group) => typeof group === 'string' && /^[\x21-\x2b\x2d-\x7e]{1,128}$/.test(group))
    .slice(0, mostGroups)
}

const inAscii = (text: string, other: RegExp): string =>
  text.replace(other, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
