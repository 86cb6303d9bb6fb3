import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js'
import { Route, type RouteConfig } from '@cdktf/provider-aws/lib/route/index.js'
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js'
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import type { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import { Fn } from 'cdktf'
import { Construct } from 'constructs'
import { ipv6SubnetIndex, subnetCidr, type Tier } from './cidr.ts'

/** The subnets of one availability zone. */
export interface NetworkZone {
  /** Such as eu-central-1a. */
  readonly name: string
  readonly publicSubnetId: string
  readonly privateSubnetId: string
  readonly dataSubnetId: string
}

/** A route table, and the routes that must be there before anything relies on it. */
export interface Routes {
  readonly table: RouteTable
  readonly routes: readonly Route[]
}

type RouteTarget = Pick<RouteConfig, 'gatewayId' | 'natGatewayId' | 'egressOnlyGatewayId'>

/** Where packets to the rest of the world go; those of a family that is not given go nowhere. */
export interface WayOut {
  readonly ipv4?: RouteTarget
  readonly ipv6?: RouteTarget
}

export function createRoutes(
  scope: Construct,
  vpc: Vpc,
  { name, tier, wayOut }: { name: string; tier: Tier; wayOut: WayOut },
): Routes {
  const table = new RouteTable(scope, `${tier}-routes`, { vpcId: vpc.id, tags: { Name: `${name}-${tier}` } })
  const routeTableId = table.id
  const { ipv4, ipv6 } = wayOut
  return {
    table,
    routes: [
      ...(ipv4
        ? [new Route(scope, `${tier}-default`, { routeTableId, destinationCidrBlock: '0.0.0.0/0', ...ipv4 })]
        : []),
      ...(ipv6
        ? [
            new Route(scope, `${tier}-default-ipv6`, {
              routeTableId,
              destinationIpv6CidrBlock: '::/0',
              ...ipv6,
            }),
          ]
        : []),
    ],
  }
}

export interface ZoneOptions {
  readonly name: string
  readonly cidr: string
  readonly zone: string
  readonly publicRoutes: Routes
  /** Whether private subnets reach the internet: through a NAT gateway of this zone, and this for IPv6. */
  readonly egressOnlyGatewayId: string | undefined
}

/** The three subnets of a zone, and the route tables of the two that are not public. */
export function createZone(network: Construct, vpc: Vpc, options: ZoneOptions) {
  const { name, cidr, zone, publicRoutes, egressOnlyGatewayId } = options
  const scope = new Construct(network, zone)
  const named = `${name}-${zone}`
  /** Returns the id of the association's subnet: what refers to it is made after the routes. */
  const createSubnet = (tier: Tier, { table, routes }: Routes) => {
    const subnet = new Subnet(scope, tier, {
      vpcId: vpc.id,
      availabilityZone: zone,
      cidrBlock: subnetCidr(cidr, zone, tier),
      ipv6CidrBlock: Fn.cidrsubnet(vpc.ipv6CidrBlock, 8, ipv6SubnetIndex(zone, tier)),
      assignIpv6AddressOnCreation: true,
      mapPublicIpOnLaunch: false,
      tags: { Name: `${name}-${tier}-${zone}` },
    })
    return new RouteTableAssociation(scope, `${tier}-association`, {
      subnetId: subnet.id,
      routeTableId: table.id,
      dependsOn: [...routes],
    }).subnetId
  }
  const publicSubnetId = createSubnet('public', publicRoutes)
  const wayOut: WayOut =
    egressOnlyGatewayId === undefined
      ? {}
      : {
          ipv4: { natGatewayId: createNat(scope, named, publicSubnetId) },
          ipv6: { egressOnlyGatewayId },
        }
  const privateRoutes = createRoutes(scope, vpc, { name: named, tier: 'private', wayOut })
  const dataRoutes = createRoutes(scope, vpc, { name: named, tier: 'data', wayOut: {} })
  const subnets: NetworkZone = {
    name: zone,
    publicSubnetId,
    privateSubnetId: createSubnet('private', privateRoutes),
    dataSubnetId: createSubnet('data', dataRoutes),
  }
  return { subnets, routeTableIds: [privateRoutes.table.id, dataRoutes.table.id] }
}

function createNat(scope: Construct, name: string, subnetId: string): string {
  const address = new Eip(scope, 'nat-address', { domain: 'vpc', tags: { Name: `${name}-nat` } })
  return new NatGateway(scope, 'nat', {
    allocationId: address.allocationId,
    subnetId,
    tags: { Name: name },
  }).id
}
