import { isIP } from 'node:net'
import type { AcmeSettings } from '../../config/acme-settings.ts'
import type { Snapshot } from '../../config/snapshot.ts'
import type { ServerCertificate } from '../../worker-messages.ts'
import { wildcardOf } from './stored-certificate.ts'

/** Which hosts the gateway orders certificates for, and which it cannot. */
export interface WantedDomains {
  /** In lower case, sorted, each once. */
  readonly domains: readonly string[]
  /** Hosts with a wildcard that cannot be ordered, because no records can be made in the DNS. */
  readonly wildcards: readonly string[]
}

/** A name that an authority on the internet may certify: several labels, the last no number. */
const isDomain = (host: string) => isIP(host) === 0 && /^([a-z0-9-]+\.)+[a-z][a-z0-9-]*$/.test(host)

/**
 * The domains of the setting and the hosts of the routes, without those that the configuration has certificates for;
 * and without hosts of routes below a wildcard that is ordered: that one certificate is for all of them.
 */
export function wantedDomains(
  settings: AcmeSettings,
  { routes }: Pick<Snapshot, 'routes'>,
  configured: readonly ServerCertificate[],
): WantedDomains {
  const covered = new Set(configured.flatMap(({ hosts }) => hosts))
  const isCovered = (host: string) => covered.has(host) || covered.has(wildcardOf(host))
  const named = settings.domains.map((host) => host.toLowerCase())
  const ofRoutes = settings.route_hosts
    ? routes.flatMap(({ hosts }) => hosts.map((host) => host.toLowerCase()))
    : []
  const ordered = new Set(settings.dns && [...named, ...ofRoutes])
  const isBelow = (host: string) => !host.startsWith('*.') && ordered.has(wildcardOf(host))
  const all = new Set([...named, ...ofRoutes.filter((host) => !isBelow(host))])
  const missing = [...all].filter((host) => !isCovered(host)).sort()
  const wildcards = missing.filter((host) => host.startsWith('*.') && isDomain(host.slice(2)))
  const names = missing.filter(isDomain)
  return settings.dns ? { domains: [...wildcards, ...names], wildcards: [] } : { domains: names, wildcards }
}
