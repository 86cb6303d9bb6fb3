import type { DnsProviderSettings } from '../../../config/acme-settings.ts'
import type { ChallengeSolver } from '../acme/challenge-solver.ts'
import type { Clock } from '../clock.ts'
import type { AliasResolver } from './challenge-record.ts'

/**
 * What makes the records of dns-01; the client of a provider is loaded only where it is asked for.
 * @param resolver - asked where CNAME records lead to
 */
export async function openDnsSolver(
  settings: DnsProviderSettings,
  clock: Clock,
  resolver: AliasResolver,
): Promise<ChallengeSolver> {
  if (settings.provider === 'route53') {
    const { Route53Solver } = await import('./route53-solver.ts')
    return new Route53Solver(settings, clock, resolver)
  }
  const { DynamicUpdateSolver } = await import('./dynamic-update-solver.ts')
  return new DynamicUpdateSolver(settings, clock, resolver)
}
