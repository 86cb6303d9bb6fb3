import { Route53HealthCheck } from '@cdktf/provider-aws/lib/route53-health-check/index.js'
import type { Construct } from 'constructs'

/**
 * A health check that holds while at least one address takes connections on port 443, as seen from several regions.
 * @param addresses zone → public IPv4 address
 * @returns id of the check; undefined without addresses
 */
export function createAddressCheck(
  scope: Construct,
  name: string,
  addresses: Readonly<Record<string, string>>,
): string | undefined {
  const zones = Object.keys(addresses).sort()
  if (zones.length === 0) return undefined
  const checks = zones.map(
    (zone) =>
      new Route53HealthCheck(scope, `check-${zone}`, {
        type: 'TCP',
        ipAddress: addresses[zone]!,
        port: 443,
        requestInterval: 10,
        failureThreshold: 2,
        tags: { Name: `${name} ${zone}` },
      }),
  )
  return new Route53HealthCheck(scope, 'check', {
    type: 'CALCULATED',
    childHealthchecks: checks.map(({ id }) => id),
    childHealthThreshold: 1,
    tags: { Name: name },
  }).id
}
