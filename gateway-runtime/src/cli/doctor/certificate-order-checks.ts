import type { AcmeSettings } from '../../config/acme-settings.ts'
import { compile } from '../../config/index.ts'
import { AcmeAuthority } from '../../control-plane/certificates/acme/acme-authority.ts'
import { systemClock } from '../../control-plane/certificates/clock.ts'
import { preflight, preflightResolver } from '../../control-plane/certificates/preflight/preflight.ts'
import { wantedDomains } from '../../control-plane/certificates/wanted-domains.ts'
import { readTlsMaterial } from '../../control-plane/tls-material.ts'
import { type Check, type Finding, fail, pass, unseen, warn } from './check.ts'

const atOnce = 16
const longestAnswer = 10_000

/** What the gateway looks at before it orders a certificate, without ordering one. */
const certificateOrders: Check = {
  id: 'certificate-orders',
  title: 'certificate orders',
  async run({ loaded }) {
    if (!loaded) return unseen('the configuration cannot be read')
    const { acme } = loaded.configuration
    if (!acme) return pass('the gateway orders none (acme is not set)')
    const snapshot = compile(loaded.configuration)
    const { domains, wildcards } = wantedDomains(acme, snapshot, readTlsMaterial(snapshot).certificates)
    const authorities = await Promise.all(acme.authorities.map(askAuthority))
    const identities = identitiesOf(authorities)
    const resolver = preflightResolver(snapshot.dns.servers)
    const judge = async (domain: string): Promise<Finding> => {
      const obstacle = await preflight(
        { domain, challenge: challengeFor(domain, acme), identities },
        resolver,
      )
      const [what, mend = 'mend the records in the DNS'] = obstacle?.split('; ', 2) ?? []
      return what === undefined ? pass(`nothing is known against an order for ${domain}`) : fail(what, mend)
    }
    const unordered = wildcards.map((host) =>
      warn(`${host} cannot be ordered: wildcards are proven in the DNS`, 'set acme.dns in config.yaml'),
    )
    return [...authorities.map(({ finding }) => finding), ...unordered, ...(await inBatches(domains, judge))]
  },
}

const challengeFor = (domain: string, { challenge }: AcmeSettings) =>
  domain.startsWith('*.') ? 'dns-01' : challenge

interface AskedAuthority {
  /** What CAA records call it; undefined where it does not answer. */
  readonly identities: readonly string[] | undefined
  readonly finding: Finding
}

async function askAuthority(settings: AcmeSettings['authorities'][number]): Promise<AskedAuthority> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), longestAnswer)
  })
  try {
    const identities = await Promise.race([new AcmeAuthority(settings, systemClock).caaIdentities(), late])
    return { identities, finding: pass(`${settings.directory} answers`) }
  } catch (error) {
    const reason = `${settings.directory} cannot be asked: ${(error as Error).message}`
    const mend = 'see whether this host reaches it, and that acme.authorities has its URL and ca'
    return { identities: undefined, finding: fail(reason, mend) }
  } finally {
    clearTimeout(timer)
  }
}

/** Of all authorities: a domain that lets one of them issue gets its certificate. None where one does not say. */
function identitiesOf(authorities: readonly AskedAuthority[]): readonly string[] {
  const said = authorities.flatMap(({ identities }) => (identities ? [identities] : []))
  return said.some((identities) => identities.length === 0) ? [] : said.flat()
}

async function inBatches(domains: readonly string[], judge: (domain: string) => Promise<Finding>) {
  const findings: Finding[] = []
  for (let from = 0; from < domains.length; from += atOnce)
    findings.push(...(await Promise.all(domains.slice(from, from + atOnce).map(judge))))
  return findings
}

/** Whether certificates can be ordered. */
export const certificateOrderChecks: readonly Check[] = [certificateOrders]
