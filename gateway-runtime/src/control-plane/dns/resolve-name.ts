import type { LookupAddress } from 'node:dns'
import { lookup, Resolver } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dns } from '../../config/dns-settings.ts'
import { isKnownToSystem } from './hosts-file.ts'
import { completions } from './search-list.ts'

export type Family = 4 | 6

/** What was found out about the addresses of one family. */
export type FamilyAnswer =
  | {
      readonly kind: 'found'
      readonly family: Family
      readonly addresses: readonly string[]
      /** How long that holds, in milliseconds. */
      readonly ttl: number
    }
  /** The name has none, and that is certain: `reason` is NXDOMAIN or NODATA. */
  | { readonly kind: 'none'; readonly family: Family; readonly reason: string }
  | { readonly kind: 'failed'; readonly family: Family; readonly reason: string }

const familiesOf: Record<Dns['family'], readonly Family[]> = { any: [6, 4], ipv4: [4], ipv6: [6] }
const systemTtl = 10_000 // the hosts file says none
const certain: Record<string, string> = { ENOTFOUND: 'NXDOMAIN', ENODATA: 'NODATA' }

/**
 * Asks for the addresses of a name: the system where its hosts file has it, else DNS. Never rejects; takes no longer
 * than `settings.timeout`. At most 256 addresses of a family are found.
 */
export async function resolveName(name: string, settings: Dns): Promise<readonly FamilyAnswer[]> {
  const families = familiesOf[settings.family]
  if (await isKnownToSystem(name)) return askSystem(name, families, settings.timeout)
  const resolver = newResolver(settings)
  const timer = setTimeout(() => resolver.cancel(), settings.timeout)
  try {
    const names = settings.servers.length > 0 ? [name] : await completions(name)
    return await askInTurn(names, (full) =>
      Promise.all(families.map((family) => askServers(resolver, full, family, settings.timeout))),
    )
  } finally {
    clearTimeout(timer)
  }
}

/** A new one each time: it reads the system's settings when it is made, and these may change. */
function newResolver({ servers, timeout }: Dns): Resolver {
  const count = servers.length || new Resolver().getServers().length
  // Each server is asked once within the time, a single one twice: a packet may be lost.
  const perTry = Math.ceil(timeout / Math.max(count, 2))
  const resolver = new Resolver({ timeout: perTry, maxTimeout: perTry, tries: count === 1 ? 2 : 1 })
  if (servers.length > 0) resolver.setServers(servers)
  return resolver
}

/** The answer for the first of the names that is more than "there is no such name". */
async function askInTurn(
  names: readonly string[],
  ask: (name: string) => Promise<readonly FamilyAnswer[]>,
): Promise<readonly FamilyAnswer[]> {
  let answers: readonly FamilyAnswer[] = []
  for (const name of names) {
    answers = await ask(name)
    if (answers.some(({ kind }) => kind !== 'none')) return answers
  }
  return answers
}

async function askServers(
  resolver: Resolver,
  name: string,
  family: Family,
  timeout: number,
): Promise<FamilyAnswer> {
  try {
    const options = { ttl: true } as const
    const records =
      family === 4 ? await resolver.resolve4(name, options) : await resolver.resolve6(name, options)
    const ttl = 1_000 * Math.min(...records.map((record) => record.ttl))
    return { kind: 'found', family, addresses: records.map(({ address }) => address), ttl }
  } catch (error) {
    return failure(family, error, timeout)
  }
}

/** One question for both families: asked for the one that its file does not have, the system would go on to DNS. */
async function askSystem(
  name: string,
  families: readonly Family[],
  timeout: number,
): Promise<readonly FamilyAnswer[]> {
  const family = families.length === 1 ? families[0]! : 0
  const tooLate = sleep(timeout, undefined, { ref: false }).then(() => {
    throw Object.assign(new Error(), { code: 'ETIMEOUT' })
  })
  try {
    const found = await Promise.race([lookup(name, { all: true, family }), tooLate])
    return families.map((family) => answerOf(found, family))
  } catch (error) {
    return families.map((family) => failure(family, error, timeout))
  }
}

function answerOf(found: readonly LookupAddress[], family: Family): FamilyAnswer {
  const addresses = found.filter((one) => one.family === family).map(({ address }) => address)
  if (addresses.length === 0) return { kind: 'none', family, reason: 'NODATA' }
  return { kind: 'found', family, addresses, ttl: systemTtl }
}

function failure(family: Family, error: unknown, timeout: number): FamilyAnswer {
  const { code = String(error) } = error as NodeJS.ErrnoException
  const reason = certain[code]
  if (reason !== undefined) return { kind: 'none', family, reason }
  if (code === 'ETIMEOUT' || code === 'ECANCELLED')
    return { kind: 'failed', family, reason: `no answer within ${timeout} ms` }
  if (code === 'ECONNREFUSED') return { kind: 'failed', family, reason: 'no DNS server is there' }
  return { kind: 'failed', family, reason: code.replace(/^E(?!AI_)/, '') }
}
