import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import type { Construct } from 'constructs'
import { accountOf } from './account.ts'
import { awsName } from './names.ts'

/** Services of AWS that a VPC can reach without the internet, beside S3. */
export const endpointServices = [
  'autoscaling',
  'ec2messages',
  'ecr.api',
  'ecr.dkr',
  'kms',
  'logs',
  'monitoring',
  'secretsmanager',
  'ssm',
  'ssmmessages',
  'sts',
] as const
export type EndpointService = (typeof endpointServices)[number]

/** What nodes of a gateway call, where they are no containers. */
export const nodeEndpointServices: readonly EndpointService[] = endpointServices.filter(
  (service) => !service.startsWith('ecr.'),
)

export interface EndpointsOptions {
  readonly name: string
  readonly vpcId: string
  /** IPv4 network of the VPC, all of which may call. */
  readonly cidr: string
  readonly services: readonly EndpointService[]
  /** Each gets an address of each service. */
  readonly subnetIds: readonly string[]
  /** Get a route to S3. */
  readonly routeTableIds: readonly string[]
}

/**
 * An endpoint for S3, which is a route and free, and one for every service that is named.
 * @returns id of the prefix list of S3's addresses, for firewalls
 */
export function createEndpoints(scope: Construct, options: EndpointsOptions): string {
  const { name, vpcId, cidr, subnetIds, routeTableIds } = options
  const { region } = accountOf(scope)
  const objects = new VpcEndpoint(scope, 'endpoint-s3', {
    vpcId,
    vpcEndpointType: 'Gateway',
    serviceName: `com.amazonaws.${region}.s3`,
    routeTableIds: [...routeTableIds],
    tags: { Name: `${name}-s3` },
  })
  const services = [...new Set(options.services)].sort()
  if (services.length === 0) return objects.prefixListId
  const securityGroup = new SecurityGroup(scope, 'endpoints', {
    name: awsName(64, name, 'endpoints'),
    description: 'Services of AWS within the VPC',
    vpcId,
    tags: { Name: `${name}-endpoints` },
  })
  new VpcSecurityGroupIngressRule(scope, 'endpoints-https', {
    securityGroupId: securityGroup.id,
    description: 'What stands in the VPC calls AWS',
    ipProtocol: 'tcp',
    fromPort: 443,
    toPort: 443,
    cidrIpv4: cidr,
  })
  for (const service of services) {
    new VpcEndpoint(scope, `endpoint-${service.replace('.', '-')}`, {
      vpcId,
      vpcEndpointType: 'Interface',
      serviceName: `com.amazonaws.${region}.${service}`,
      privateDnsEnabled: true,
      subnetIds: [...subnetIds],
      securityGroupIds: [securityGroup.id],
      tags: { Name: `${name}-${service}` },
    })
  }
  return objects.prefixListId
}
