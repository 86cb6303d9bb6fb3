import { DataAwsRoute53Zone } from '@cdktf/provider-aws/lib/data-aws-route53-zone/index.js'
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js'
import { Route53Zone } from '@cdktf/provider-aws/lib/route53-zone/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { createAddressCheck } from './dns-health-check.ts'
import { signZone } from './dnssec.ts'
import { accept } from './findings.ts'
import type { Balancer } from './load-balancer.ts'

/** Which of several regions answers a client. */
export type Routing =
  /** The nearest region, as Route 53 measures it. */
  | { readonly policy: 'latency'; readonly region: string }
  /** The secondary region answers while the primary one does not. */
  | { readonly policy: 'failover'; readonly role: 'primary' | 'secondary' }

/** A certificate authority that may issue for the domains, as CAA records say (RFC 8659, RFC 8657). */
export interface Authority {
  /** Domain of the authority: `letsencrypt.org`. */
  readonly ca: string
  /**
   * The one ACME account that may ask.
   * @default any
   */
  readonly accountUri?: string
  /**
   * Ways in which control over a name may be shown.
   * @default any
   */
  readonly validationMethods?: readonly ('dns-01' | 'http-01' | 'tls-alpn-01')[]
}

export interface GatewayDnsProps {
  /** Name of the public hosted zone: `example.com`. */
  readonly zone: string
  /**
   * Whether the zone is made here; its name servers must then be set where the domain is registered.
   * @default false: it is there already
   */
  readonly createZone?: boolean
  /** Names that lead to the gateway, in the zone: `api.example.com`, `*.api.example.com`. */
  readonly domains: readonly string[]
  /** Where they lead. */
  readonly target: Pick<Balancer, 'dnsName' | 'hostedZoneId' | 'dualStack'>
  /**
   * Needed where several regions have the same domains.
   * @default one region answers always
   */
  readonly routing?: Routing | undefined
  /**
   * Public IPv4 addresses that Route 53 checks on port 443; a region none of whose addresses answers gets no clients.
   * @default [] the health that the load balancer reports decides alone
   */
  readonly checkedAddresses?: Readonly<Record<string, string>>
  /**
   * Authorities that may issue certificates for the domains.
   * @default [] no CAA records: any authority
   */
  readonly authorities?: readonly Authority[]
  /**
   * Whether the zone is signed (DNSSEC); its DS record must then be set where the domain is registered.
   * @default false
   */
  readonly dnssec?: boolean
}

/** Whether a text is a lower-case host name, which may begin with a wildcard. */
export const isDomain = (text: string) =>
  text.length <= 253 &&
  /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/.test(text)

/**
 * Alias records (A, and AAAA where the load balancer has IPv6) for every domain. A zone of the load balancer that has
 * no healthy node is left out of answers. CAA records keep other authorities from issuing.
 *
 * @example
 * new GatewayDns(stack, 'dns', {
 *   zone: 'example.com',
 *   domains: ['api.example.com'],
 *   target: { dnsName: 'edge.elb.eu-central-1.amazonaws.com', hostedZoneId: 'Z3F0SRJ5LGBH90', dualStack: true },
 *   authorities: [{ ca: 'letsencrypt.org', validationMethods: ['dns-01'] }],
 * })
 * @throws ConstructError when a domain is no host name, stands twice or outside the zone
 */
export class GatewayDns extends Construct {
  readonly domains: readonly string[]
  readonly zoneId: string
  /** ARN of the zone, for policies. */
  readonly zoneArn: string
  /** Name servers of the zone. */
  readonly nameServers: string[]

  constructor(scope: Construct, id: string, props: GatewayDnsProps) {
    super(scope, id)
    checkDns(this, props)
    const { zone, domains, target, routing, authorities = [] } = props
    const hostedZone = props.createZone
      ? new Route53Zone(this, 'hosted-zone', {
          name: zone,
          tags: { Name: zone },
          lifecycle: { preventDestroy: true },
        })
      : new DataAwsRoute53Zone(this, 'zone', { name: zone, privateZone: false })
    if ('forceDestroy' in hostedZone) {
      accept(
        hostedZone,
        'no-query-log',
        'queries of a public name are those of resolvers; the access log has the clients',
      )
    }
    const { zoneId } = hostedZone
    const healthCheckId = createAddressCheck(this, zone, props.checkedAddresses ?? {})
    for (const domain of [...domains].sort()) {
      for (const type of target.dualStack ? ['A', 'AAAA'] : ['A']) {
        new Route53Record(this, type === 'A' ? domain : `${domain}-ipv6`, {
          zoneId,
          name: domain,
          type,
          alias: { name: target.dnsName, zoneId: target.hostedZoneId, evaluateTargetHealth: true },
          ...(healthCheckId !== undefined && { healthCheckId }),
          ...(routing && routed(routing)),
        })
      }
    }
    for (const [name, records] of authorizations(domains, authorities)) {
      new Route53Record(this, `${name}-authorities`, { zoneId, name, type: 'CAA', ttl: 3600, records })
    }
    if (props.dnssec) signZone(this, zone, zoneId)
    this.domains = [...domains].sort()
    this.zoneId = zoneId
    this.zoneArn = hostedZone.arn
    this.nameServers = hostedZone.nameServers
  }
}

function checkDns(scope: Construct, props: GatewayDnsProps) {
  const { zone, domains, routing, authorities = [], checkedAddresses = {} } = props
  checkProps(scope, [
    [isDomain(zone), `zone: expected such as example.com, got ${JSON.stringify(zone)}`],
    [domains.length > 0, 'domains: expected at least one, got none'],
    [new Set(domains).size === domains.length, `domains: expected each once, got ${domains.join(', ')}`],
    [
      !routing || Object.keys(checkedAddresses).length > 0 || routing.policy === 'latency',
      'checkedAddresses: expected addresses with routing failover, got none: it could never fail over',
    ],
    ...authorities.map(
      ({ ca }) =>
        [isDomain(ca), `authorities: expected such as letsencrypt.org, got ${JSON.stringify(ca)}`] as const,
    ),
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
}

const routed = (routing: Routing) =>
  routing.policy === 'latency'
    ? { setIdentifier: routing.region, latencyRoutingPolicy: { region: routing.region } }
    : { setIdentifier: routing.role, failoverRoutingPolicy: { type: routing.role.toUpperCase() } }

/** Name → values of its CAA records; a name without its wildcard has both. */
function authorizations(
  domains: readonly string[],
  authorities: readonly Authority[],
): Map<string, string[]> {
  const names = new Map<string, string[]>()
  if (authorities.length === 0) return names
  const sorted = [...new Set(domains)].sort()
  for (const name of new Set(sorted.map((domain) => domain.replace(/^\*\./, '')))) {
    const values = (tag: 'issue' | 'issuewild', issued: boolean) =>
      issued ? authorities.map((authority) => `0 ${tag} "${parameters(authority)}"`) : [`0 ${tag} ";"`]
    names.set(name, [
      ...values('issue', sorted.includes(name)),
      ...values('issuewild', sorted.includes(`*.${name}`)),
    ])
  }
  return names
}

const parameters = ({ ca, accountUri, validationMethods }: Authority) =>
  [
    ca,
    ...(accountUri ? [`accounturi=${accountUri}`] : []),
    ...(validationMethods ? [`validationmethods=${validationMethods.join(',')}`] : []),
  ].join('; ')
