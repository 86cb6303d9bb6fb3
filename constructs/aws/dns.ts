import { DataAwsRoute53Zone } from '@cdktf/provider-aws/lib/data-aws-route53-zone/index.js'
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import type { Balancer } from './load-balancer.ts'

export interface GatewayDnsProps {
  /** Name of a public hosted zone that is there already: `example.com`. */
  readonly zone: string
  /** Names that lead to the gateway, in the zone: `api.example.com`, `*.api.example.com`. */
  readonly domains: readonly string[]
  /** Where they lead. */
  readonly target: Pick<Balancer, 'dnsName' | 'hostedZoneId'>
}

const isDomain = (text: string) =>
  text.length <= 253 &&
  /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/.test(text)

/**
 * An alias record for every domain. A zone of the load balancer that has no healthy node is left out of answers.
 * @throws ConstructError when a domain is no host name, stands twice or outside the zone
 */
export class GatewayDns extends Construct {
  readonly domains: readonly string[]

  constructor(scope: Construct, id: string, { zone, domains, target }: GatewayDnsProps) {
    super(scope, id)
    checkProps(this, [
      [isDomain(zone), `zone: expected such as example.com, got ${JSON.stringify(zone)}`],
      [domains.length > 0, 'domains: expected at least one, got none'],
      [new Set(domains).size === domains.length, `domains: expected each once, got ${domains.join(', ')}`],
      ...domains.flatMap(
        (domain) =>
          [
            [isDomain(domain), `domains: expected a lower-case host name, got ${JSON.stringify(domain)}`],
            [
              domain === zone || domain.endsWith(`.${zone}`),
              `domains: expected names in ${zone}, got ${JSON.stringify(domain)}`,
            ],
          ] as const,
      ),
    ])
    const hostedZone = new DataAwsRoute53Zone(this, 'zone', { name: zone, privateZone: false })
    for (const domain of domains) {
      new Route53Record(this, domain, {
        zoneId: hostedZone.zoneId,
        name: domain,
        type: 'A',
        alias: { name: target.dnsName, zoneId: target.hostedZoneId, evaluateTargetHealth: true },
      })
    }
    this.domains = [...domains]
  }
}
