import { Lb } from '@cdktf/provider-aws/lib/lb/index.js'
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js'
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import type { ZoneAddresses } from './virtual-ip.ts'

/** What other constructs need of a load balancer. */
export interface Balancer {
  readonly dnsName: string
  /** Route 53 zone of the name, for alias records. */
  readonly hostedZoneId: string
  readonly securityGroupId: string
  /** Nodes register with all of them. */
  readonly targetGroupArns: readonly string[]
}

export interface LoadBalancerProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  readonly network: Network
  /** An address for every zone of the network. */
  readonly virtualIp: ZoneAddresses
  /**
   * TCP ports that are passed on as they are.
   * @default [80, 443]
   */
  readonly ports?: readonly number[]
  /**
   * Port on which nodes answer health checks.
   * @default 9090
   */
  readonly healthCheckPort?: number
  /**
   * Networks (IPv4 CIDR) that may connect.
   * @default ['0.0.0.0/0']
   */
  readonly clientNetworks?: readonly string[]
  /**
   * How long a node that leaves may finish what it has, seconds; 0 to 3600.
   * @default 45
   */
  readonly deregistrationDelay?: number
  /**
   * Whether AWS refuses to delete it.
   * @default true
   */
  readonly deletionProtection?: boolean
}

/**
 * A network load balancer on the virtual IPs. It passes TCP on and keeps the address of the client, so TLS ends on the
 * nodes; a node gets connections while its /readyz answers 200.
 * @throws ConstructError when a zone has no address, or a value is out of range
 */
export class LoadBalancer extends Construct implements Balancer {
  readonly arn: string
  readonly dnsName: string
  readonly hostedZoneId: string
  readonly securityGroupId: string
  readonly targetGroupArns: readonly string[]

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id)
    const { name, network, virtualIp, ports = [80, 443], healthCheckPort = 9090 } = props
    const { deregistrationDelay = 45, clientNetworks = ['0.0.0.0/0'] } = props
    const without = network.zones.filter((zone) => !(zone.name in virtualIp.allocationIds))
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [ports.length > 0, 'ports: expected at least one, got none'],
      ...ports.map(
        (port) =>
          [
            Number.isInteger(port) && port >= 1 && port <= 65_535,
            `ports: expected 1 to 65535, got ${port}`,
          ] as const,
      ),
      [without.length === 0, `virtualIp: no address for ${without.map((zone) => zone.name).join(', ')}`],
      [
        Number.isInteger(deregistrationDelay) && deregistrationDelay >= 0 && deregistrationDelay <= 3600,
        `deregistrationDelay: expected 0 to 3600 seconds, got ${deregistrationDelay}`,
      ],
    ])

    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'load-balancer'),
      description: 'Clients of the gateway',
      vpcId: network.vpcId,
      tags: { Name: `${name}-load-balancer` },
    })
    for (const port of ports) {
      for (const client of clientNetworks) {
        new VpcSecurityGroupIngressRule(this, `client-${port}-${client}`, {
          securityGroupId: securityGroup.id,
          ipProtocol: 'tcp',
          fromPort: port,
          toPort: port,
          cidrIpv4: client,
        })
      }
    }
    const balancer = new Lb(this, 'load-balancer', {
      name: awsName(32, name),
      loadBalancerType: 'network',
      internal: false,
      securityGroups: [securityGroup.id],
      enableCrossZoneLoadBalancing: true,
      enableDeletionProtection: props.deletionProtection ?? true,
      subnetMapping: network.zones.map((zone) => ({
        subnetId: zone.publicSubnetId,
        allocationId: virtualIp.allocationIds[zone.name]!,
      })),
      tags: { Name: name },
    })

    this.targetGroupArns = ports.map((port) => {
      const targets = new LbTargetGroup(this, `targets-${port}`, {
        name: awsName(32, name, String(port)),
        vpcId: network.vpcId,
        targetType: 'instance',
        protocol: 'TCP',
        port,
        preserveClientIp: 'true',
        deregistrationDelay: String(deregistrationDelay),
        connectionTermination: true,
        healthCheck: {
          protocol: 'HTTP',
          port: String(healthCheckPort),
          path: '/readyz',
          matcher: '200',
          interval: 10,
          timeout: 5,
          healthyThreshold: 2,
          unhealthyThreshold: 2,
        },
        tags: { Name: `${name}-${port}` },
      })
      new LbListener(this, `listener-${port}`, {
        loadBalancerArn: balancer.arn,
        port,
        protocol: 'TCP',
        defaultAction: [{ type: 'forward', targetGroupArn: targets.arn }],
      })
      return targets.arn
    })
    this.arn = balancer.arn
    this.dnsName = balancer.dnsName
    this.hostedZoneId = balancer.zoneId
    this.securityGroupId = securityGroup.id
  }
}
