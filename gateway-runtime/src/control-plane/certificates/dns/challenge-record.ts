import { hash } from 'node:crypto'
import type { Resolver } from 'node:dns/promises'

/** What is asked for aliases: Node.js's resolver, or a test's. */
export type AliasResolver = Pick<Resolver, 'resolveCname'>

const mostAliases = 8

/**
 * Name and text of the TXT record that dns-01 is answered with (RFC 8555 section 8.4). Where there is a CNAME record in
 * its place, the name that this leads to: so a zone that nobody changes hands the answers over to one that is changed.
 * Rejected where aliases lead in a circle. A DNS that does not answer leaves the name as it is.
 */
export async function challengeRecord(
  domain: string,
  keyAuthorization: string,
  resolver: AliasResolver,
): Promise<{ readonly name: string; readonly text: string }> {
  const own = `_acme-challenge.${domain.replace(/^\*\./, '')}`
  const text = hash('sha256', keyAuthorization, 'base64url')
  let name = own
  for (let count = 0; count <= mostAliases; count++) {
    const [target] = await resolver.resolveCname(name).catch(() => [])
    if (target === undefined) return { name, text }
    name = target.toLowerCase().replace(/\.$/, '')
  }
  throw new Error(`the CNAME records of ${own} lead on more than ${mostAliases} times; mend them`)
}
