import { Resolver } from 'node:dns/promises'

/** What is looked up before an order: Node.js's resolver, or a test's. */
export type PreflightResolver = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveCaa'>

export interface PreflightQuestion {
  /** Such as `a.example.com` or `*.example.com`. */
  readonly domain: string
  readonly challenge: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /** What CAA records call the authority (RFC 8555 section 7.1.1); empty where it does not say. */
  readonly identities: readonly string[]
}

/** A resolver that asks these servers, or those of the system; it gives up after some seconds. */
export function preflightResolver(servers: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)
  return resolver
}

/**
 * What an order would fail at, so that it need not be made: a domain without an address, where the authority connects to
 * it, or CAA records that let others issue only (RFC 8659).
 * @returns what is wrong and what to do; undefined where nothing is known against it. A DNS that does not answer is not
 * held against the domain: the authority may see more.
 */
export async function preflight(
  question: PreflightQuestion,
  resolver: PreflightResolver,
): Promise<string | undefined> {
  const { challenge, domain } = question
  const isReached = challenge === 'dns-01' || domain.startsWith('*.') || (await hasAddress(domain, resolver))
  if (!isReached)
    return `${domain} has no address in the DNS; make an A or AAAA record that leads to this gateway`
  return caaObstacle(question, resolver)
}

async function hasAddress(domain: string, resolver: PreflightResolver): Promise<boolean> {
  const answers = await Promise.all([
    answerOf(resolver.resolve4(domain)),
    answerOf(resolver.resolve6(domain)),
  ])
  return answers.some((addresses) => addresses === undefined || addresses.length > 0)
}

/** Empty where there is surely nothing; undefined where it could not be learnt. */
const answerOf = <Answer>(asked: Promise<Answer[]>): Promise<Answer[] | undefined> =>
  asked.catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOTFOUND' || error.code === 'ENODATA' ? [] : undefined,
  )

const knownTags = new Set([
  'issue',
  'issuewild',
  'iodef',
  'contactemail',
  'contactphone',
  'issuemail',
  'issuevmc',
])

/** The records of the domain or else of the nearest name above it count (RFC 8659 section 3). */
async function caaObstacle(
  { domain, identities }: PreflightQuestion,
  resolver: PreflightResolver,
): Promise<string | undefined> {
  const isWildcard = domain.startsWith('*.')
  for (let name = domain.replace(/^\*\./, ''); name.includes('.'); name = name.slice(name.indexOf('.') + 1)) {
    const records = await answerOf(resolver.resolveCaa(name))
    if (!records) return undefined
    if (records.length === 0) continue
    const strange = records.find(
      (record) => record.critical >= 128 && !Object.keys(record).some((tag) => knownTags.has(tag)),
    )
    if (strange) return `${name} has a critical CAA record that no authority may pass over; remove it`
    const issue = records.flatMap((record) => record.issue ?? [])
    const wild = records.flatMap((record) => record.issuewild ?? [])
    const applied = isWildcard && wild.length > 0 ? wild : issue
    if (applied.length === 0) return undefined
    const allowed = applied
      .map((value) => value.split(';')[0]!.trim().toLowerCase())
      .filter((one) => one !== '')
    const mayIssue =
      allowed.length > 0 &&
      (identities.length === 0 || identities.some((one) => allowed.includes(one.toLowerCase())))
    if (mayIssue) return undefined
    const others = allowed.join(', ') || 'nobody'
    const own = identities.join(' or ') || 'of the authority'
    return `CAA records of ${name} let ${others} issue; add one for ${own}, or take another authority`
  }
  return undefined
}
