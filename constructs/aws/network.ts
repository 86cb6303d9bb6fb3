import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js'
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js'
import { Route, type RouteConfig } from '@cdktf/provider-aws/lib/route/index.js'
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js'
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { isZone, subnetCidr, type Tier } from './cidr.ts'
import { baseNameRule, isBaseName } from './names.ts'

/** The subnets of one availability zone. */
export interface NetworkZone {
  /** Such as eu-central-1a. */
  readonly name: string
  readonly publicSubnetId: string
  readonly privateSubnetId: string
  readonly dataSubnetId: string
}

/** What other constructs need of a network. `GatewayNetwork` makes one; an existing VPC fits as well. */
export interface Network {
  readonly vpcId: string
  /** IPv4 CIDR of the VPC. */
  readonly cidr: string
  readonly zones: readonly NetworkZone[]
}

export interface GatewayNetworkProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** IPv4 network of the VPC, /16 to /23. Eight zones' worth of subnets fit, whichever are used. */
  readonly cidr: string
  /** Availability zones, at least one. Order does not matter; adding one changes nothing of the others. */
  readonly zones: readonly string[]
}

/**
 * A VPC with a public, a private and a data subnet in every zone. Private subnets reach the internet through the NAT
 * gateway of their own zone, so the loss of another zone cuts nothing off; data subnets have no way out.
 * @throws ConstructError when a network or zone cannot be used
 */
export class GatewayNetwork extends Construct implements Network {
  readonly vpcId: string
  readonly cidr: string
  readonly zones: readonly NetworkZone[]

  constructor(scope: Construct, id: string, props: GatewayNetworkProps) {
    super(scope, id)
    const { name, cidr, zones } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [zones.length > 0, 'zones: expected at least one, got none'],
      [new Set(zones).size === zones.length, `zones: expected each once, got ${zones.join(', ')}`],
      ...zones.map(
        (zone) =>
          [isZone(zone), `zones: expected such as eu-central-1a, got ${JSON.stringify(zone)}`] as const,
      ),
    ])
    const cidrs = new Map(
      zones.map((zone) => [
        zone,
        withPath(this, () => ({
          public: subnetCidr(cidr, zone, 'public'),
          private: subnetCidr(cidr, zone, 'private'),
          data: subnetCidr(cidr, zone, 'data'),
        })),
      ]),
    )

    const vpc = new Vpc(this, 'vpc', {
      cidrBlock: cidr,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: { Name: name },
    })
    const internet = new InternetGateway(this, 'internet', { vpcId: vpc.id, tags: { Name: name } })
    const publicRoutes = createRoutes(this, vpc, { name, tier: 'public', to: { gatewayId: internet.id } })
    this.vpcId = vpc.id
    this.cidr = cidr
    this.zones = zones.map((zone) =>
      createZone(this, vpc, { name, zone, cidrs: cidrs.get(zone)!, publicRoutes }),
    )
  }
}

/** A route table, and the routes that must be there before anything relies on it. */
interface Routes {
  readonly table: RouteTable
  readonly routes: Route[]
}

function createRoutes(
  scope: Construct,
  vpc: Vpc,
  { name, tier, to }: { name: string; tier: Tier; to?: Pick<RouteConfig, 'gatewayId' | 'natGatewayId'> },
): Routes {
  const table = new RouteTable(scope, `${tier}-routes`, { vpcId: vpc.id, tags: { Name: `${name}-${tier}` } })
  if (!to) return { table, routes: [] }
  const route = { routeTableId: table.id, destinationCidrBlock: '0.0.0.0/0', ...to }
  return { table, routes: [new Route(scope, `${tier}-default`, route)] }
}

function createZone(
  network: Construct,
  vpc: Vpc,
  {
    name,
    zone,
    cidrs,
    publicRoutes,
  }: {
    name: string
    zone: string
    cidrs: Readonly<Record<Tier, string>>
    publicRoutes: Routes
  },
): NetworkZone {
  const scope = new Construct(network, zone)
  /** Returns the id of the association's subnet: what refers to it is made after the routes. */
  const createSubnet = (tier: Tier, { table, routes }: Routes) => {
    const subnet = new Subnet(scope, tier, {
      vpcId: vpc.id,
      availabilityZone: zone,
      cidrBlock: cidrs[tier],
      mapPublicIpOnLaunch: false,
      tags: { Name: `${name}-${tier}-${zone}` },
    })
    return new RouteTableAssociation(scope, `${tier}-association`, {
      subnetId: subnet.id,
      routeTableId: table.id,
      dependsOn: routes,
    }).subnetId
  }
  const publicSubnetId = createSubnet('public', publicRoutes)
  const address = new Eip(scope, 'nat-address', { domain: 'vpc', tags: { Name: `${name}-nat-${zone}` } })
  const nat = new NatGateway(scope, 'nat', {
    allocationId: address.allocationId,
    subnetId: publicSubnetId,
    tags: { Name: `${name}-${zone}` },
  })
  const named = `${name}-${zone}`
  const privateRoutes = createRoutes(scope, vpc, {
    name: named,
    tier: 'private',
    to: { natGatewayId: nat.id },
  })
  const dataRoutes = createRoutes(scope, vpc, { name: named, tier: 'data' })
  return {
    name: zone,
    publicSubnetId,
    privateSubnetId: createSubnet('private', privateRoutes),
    dataSubnetId: createSubnet('data', dataRoutes),
  }
}
