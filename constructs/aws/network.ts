import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js'
import { EgressOnlyInternetGateway } from '@cdktf/provider-aws/lib/egress-only-internet-gateway/index.js'
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js'
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { isZone, parseNetwork, parseVpcNetwork } from './cidr.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { createFlowLog } from './flow-log.ts'
import type { Retention } from './log-group.ts'
import { baseNameRule, isBaseName } from './names.ts'
import { createRoutes, createZone, type NetworkZone } from './network-zone.ts'
import { createEndpoints, type EndpointService, endpointServices } from './vpc-endpoints.ts'

/** What other constructs need of a network. `GatewayNetwork` makes one; an existing VPC fits as well. */
export interface Network {
  readonly vpcId: string
  /** IPv4 CIDR of the VPC. */
  readonly cidr: string
  /** IPv6 CIDR of the VPC; undefined where it has none. */
  readonly ipv6Cidr?: string | undefined
  /** Prefix list of S3's addresses, where S3 is reached without the internet. */
  readonly s3PrefixListId?: string | undefined
  readonly zones: readonly NetworkZone[]
}

export interface GatewayNetworkProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** IPv4 network of the VPC, /16 to /23. Eight zones' worth of subnets fit, whichever are used. */
  readonly cidr: string
  /** Availability zones, at least one. Order does not matter; adding one changes nothing of the others. */
  readonly zones: readonly string[]
  /**
   * How private subnets reach the internet: through a NAT gateway in each zone (and an egress-only gateway for IPv6),
   * or not at all, which leaves them the endpoints.
   * @default 'zone'
   */
  readonly nat?: 'zone' | 'none'
  /**
   * Services of AWS that are reached within the VPC, beside S3. Each costs by the hour in every zone.
   * @default all of `endpointServices`
   */
  readonly endpoints?: readonly EndpointService[]
  /**
   * Encrypts the flow logs.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Days that flow logs are kept.
   * @default 365
   */
  readonly flowLogRetention?: Retention
}

/**
 * A VPC with a public, a private and a data subnet in every zone, each with IPv4 and IPv6. Private subnets reach the
 * internet through the NAT gateway of their own zone, so the loss of another zone cuts nothing off; data subnets have
 * no way out. Services of AWS are reached within the VPC. Every connection is logged; the default security group lets
 * nothing through.
 *
 * @example
 * const network = new GatewayNetwork(stack, 'network', {
 *   name: 'edge',
 *   cidr: '10.20.0.0/16',
 *   zones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
 *   nat: 'none',
 * })
 * new VirtualIp(stack, 'virtual-ip', { name: 'edge', zones: network.zones.map((zone) => zone.name) })
 * @throws ConstructError when a network or zone cannot be used
 */
export class GatewayNetwork extends Construct implements Network {
  readonly vpcId: string
  readonly cidr: string
  readonly ipv6Cidr: string
  readonly s3PrefixListId: string
  readonly zones: readonly NetworkZone[]

  constructor(scope: Construct, id: string, props: GatewayNetworkProps) {
    super(scope, id)
    checkNetwork(this, props)
    const { name, cidr, nat = 'zone', endpoints = endpointServices, flowLogRetention = 365 } = props
    const vpc = new Vpc(this, 'vpc', {
      cidrBlock: cidr,
      assignGeneratedIpv6CidrBlock: true,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: { Name: name },
    })
    new DefaultSecurityGroup(this, 'default-security-group', {
      vpcId: vpc.id,
      tags: { Name: `${name}-unused` },
    })
    const internet = new InternetGateway(this, 'internet', { vpcId: vpc.id, tags: { Name: name } })
    const toInternet = { gatewayId: internet.id }
    const publicRoutes = createRoutes(this, vpc, {
      name,
      tier: 'public',
      wayOut: { ipv4: toInternet, ipv6: toInternet },
    })
    const egressOnlyGatewayId =
      nat === 'none'
        ? undefined
        : new EgressOnlyInternetGateway(this, 'egress', { vpcId: vpc.id, tags: { Name: name } }).id
    const zones = [...props.zones]
      .sort()
      .map((zone) => createZone(this, vpc, { name, cidr, zone, publicRoutes, egressOnlyGatewayId }))

    createFlowLog(this, {
      name,
      vpcId: vpc.id,
      key: props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'network' }),
      retention: flowLogRetention,
    })
    this.s3PrefixListId = createEndpoints(this, {
      name,
      vpcId: vpc.id,
      cidr,
      services: endpoints,
      subnetIds: zones.map(({ subnets }) => subnets.privateSubnetId),
      routeTableIds: zones.flatMap(({ routeTableIds }) => routeTableIds),
    })
    this.vpcId = vpc.id
    this.cidr = cidr
    this.ipv6Cidr = vpc.ipv6CidrBlock
    this.zones = zones.map(({ subnets }) => subnets)
  }

  /**
   * A VPC that is there already. Nothing is made or changed.
   *
   * @param network ids of the VPC and of its subnets, by zone
   * @throws Error when the network is none, or has no zone
   */
  static fromExisting(network: Network): Network {
    parseNetwork(network.cidr)
    if (network.zones.length === 0) throw new Error('network: expected at least one zone, got none')
    for (const { name } of network.zones) {
      if (!isZone(name)) throw new Error(`network: expected a zone such as eu-central-1a, got ${name}`)
    }
    return { ...network, zones: [...network.zones].sort((a, b) => (a.name < b.name ? -1 : 1)) }
  }
}

function checkNetwork(scope: Construct, { name, zones, cidr }: GatewayNetworkProps) {
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [zones.length > 0, 'zones: expected at least one, got none'],
    [new Set(zones).size === zones.length, `zones: expected each once, got ${zones.join(', ')}`],
    ...zones.map(
      (zone) => [isZone(zone), `zones: expected such as eu-central-1a, got ${JSON.stringify(zone)}`] as const,
    ),
  ])
  withPath(scope, () => parseVpcNetwork(cidr))
}
