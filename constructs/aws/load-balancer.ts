import { Lb } from '@cdktf/provider-aws/lib/lb/index.js'
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accessLogStatements } from './access-log-policy.ts'
import type { AlarmTopics } from './alarm.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { accept } from './findings.ts'
import { ruleNetwork } from './firewall.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import { PrivateBucket } from './private-bucket.ts'
import { type HealthCheck, healthCheckRules, TargetGroups } from './target-groups.ts'
import type { ZoneAddresses } from './virtual-ip.ts'

/** What other constructs need of a load balancer. */
export interface Balancer {
  readonly dnsName: string
  /** Route 53 zone of the name, for alias records. */
  readonly hostedZoneId: string
  readonly securityGroupId: string
  /** Nodes register with all of them. */
  readonly targetGroupArns: readonly string[]
  /** Target groups of a second fleet; empty where there is none. */
  readonly greenTargetGroupArns: readonly string[]
  /** How CloudWatch calls it: `net/NAME/ID`; undefined where it has no metrics. */
  readonly metricName?: string | undefined
  /** Whether it has IPv6 addresses as well. */
  readonly dualStack: boolean
}

export interface LoadBalancerProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /** Addresses stand in its public subnets. */
  readonly network: Network
  /** An address for every zone of the network. */
  readonly virtualIp: ZoneAddresses
  /**
   * TCP ports that are passed on as they are.
   * @default [80, 443]
   */
  readonly ports?: readonly number[]
  /**
   * How nodes are found to be ready.
   * @default HTTP on 9090, /readyz, every 10 s, twice
   */
  readonly healthCheck?: HealthCheck
  /**
   * How nodes learn who the client is: `preserve` leaves the address of IPv4 clients on the packets; `proxy-protocol`
   * begins every connection with a PROXY v2 header, which the listeners of the nodes must expect, and which holds IPv6
   * addresses as well.
   * @default 'preserve'
   */
  readonly clientAddress?: 'preserve' | 'proxy-protocol'
  /**
   * Networks (CIDR, IPv4 or IPv6) that may connect.
   * @default ['0.0.0.0/0', '::/0']
   */
  readonly clientNetworks?: readonly string[]
  /**
   * How long a node that leaves may finish what it has, seconds; 0 to 3600. What is open then is closed.
   * @default 45
   */
  readonly deregistrationDelay?: number
  /**
   * Percent of new connections that a second fleet gets: 0 to 100. Given at all, there are target groups for one.
   * @default there is one fleet
   */
  readonly greenPercent?: number | undefined
  /**
   * Whether AWS refuses to delete it.
   * @default true
   */
  readonly deletionProtection?: boolean
  /**
   * Encrypts the access logs.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Days that access logs are kept.
   * @default 365
   */
  readonly accessLogExpiration?: number
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
}

/**
 * A network load balancer on the virtual IPs. It passes TCP on and keeps the address of the client, so TLS ends on the
 * nodes; a node gets connections while its /readyz answers 200. With `greenPercent`, every listener spreads connections
 * over two sets of target groups by weight.
 *
 * @example
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones: ['eu-central-1a'] })
 * const virtualIp = new VirtualIp(stack, 'virtual-ip', { name: 'edge', zones: ['eu-central-1a'] })
 * new LoadBalancer(stack, 'load-balancer', { name: 'edge', network, virtualIp, ports: [443] })
 * @throws ConstructError when a zone has no address, or a value is out of range
 */
export class LoadBalancer extends Construct implements Balancer {
  readonly arn: string
  readonly dnsName: string
  readonly hostedZoneId: string
  readonly securityGroupId: string
  readonly targetGroupArns: readonly string[]
  readonly greenTargetGroupArns: readonly string[]
  readonly metricName: string
  readonly dualStack: boolean

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id)
    checkLoadBalancer(this, props)
    const { name, network, virtualIp, ports = [80, 443], greenPercent } = props
    this.dualStack = network.ipv6Cidr !== undefined
    const securityGroup = createSecurityGroup(this, props)
    const logs = createLogBucket(this, props)
    const balancer = new Lb(this, 'load-balancer', {
      name: awsName(32, name),
      loadBalancerType: 'network',
      internal: false,
      ipAddressType: this.dualStack ? 'dualstack' : 'ipv4',
      securityGroups: [securityGroup.id],
      enableCrossZoneLoadBalancing: true,
      enableDeletionProtection: props.deletionProtection ?? true,
      accessLogs: { bucket: logs.name, prefix: 'access', enabled: true },
      subnetMapping: network.zones.map((zone) => ({
        subnetId: zone.publicSubnetId,
        allocationId: virtualIp.allocationIds[zone.name]!,
      })),
      tags: { Name: name },
      dependsOn: [logs.policy],
    })
    accept(
      balancer,
      'public-balancer',
      'clients on the internet are what a gateway is for; it passes on its listeners alone',
    )

    const createTargets = (fleet: 'blue' | 'green') =>
      new TargetGroups(this, fleet, { ...props, ports, fleet, loadBalancer: balancer.arnSuffix })
    const blue = createTargets('blue')
    const green = greenPercent === undefined ? undefined : createTargets('green')
    for (const port of ports) {
      const blueArn = blue.byPort[port]!
      const action =
        green && greenPercent !== undefined
          ? {
              type: 'forward',
              forward: {
                targetGroup: [
                  { arn: blueArn, weight: 100 - greenPercent },
                  { arn: green.byPort[port]!, weight: greenPercent },
                ],
              },
            }
          : { type: 'forward', targetGroupArn: blueArn }
      new LbListener(this, `listener-${port}`, {
        loadBalancerArn: balancer.arn,
        port,
        protocol: 'TCP',
        defaultAction: [action],
        tags: { Name: `${name}-${port}` },
      })
    }
    if (greenPercent !== 100) blue.alarm()
    if (greenPercent) green?.alarm()
    this.arn = balancer.arn
    this.dnsName = balancer.dnsName
    this.hostedZoneId = balancer.zoneId
    this.securityGroupId = securityGroup.id
    this.metricName = balancer.arnSuffix
    this.targetGroupArns = Object.values(blue.byPort)
    this.greenTargetGroupArns = Object.values(green?.byPort ?? {})
  }
}

function checkLoadBalancer(scope: Construct, props: LoadBalancerProps) {
  const { name, network, virtualIp, ports = [80, 443], deregistrationDelay = 45, greenPercent = 0 } = props
  const without = network.zones.filter((zone) => !(zone.name in virtualIp.allocationIds))
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [ports.length > 0, 'ports: expected at least one, got none'],
    [new Set(ports).size === ports.length, `ports: expected each once, got ${ports.join(', ')}`],
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
    [
      Number.isInteger(greenPercent) && greenPercent >= 0 && greenPercent <= 100,
      `greenPercent: expected 0 to 100, got ${greenPercent}`,
    ],
    ...healthCheckRules(props.healthCheck ?? {}),
  ])
}

function createSecurityGroup(scope: Construct, props: LoadBalancerProps): SecurityGroup {
  const { name, network, ports = [80, 443], clientNetworks = ['0.0.0.0/0', '::/0'] } = props
  const securityGroup = new SecurityGroup(scope, 'security-group', {
    name: awsName(64, name, 'load-balancer'),
    description: 'Clients of the gateway',
    vpcId: network.vpcId,
    tags: { Name: `${name}-load-balancer` },
  })
  for (const port of ports) {
    for (const client of clientNetworks) {
      const rule = new VpcSecurityGroupIngressRule(scope, `client-${port}-${client}`, {
        securityGroupId: securityGroup.id,
        description: 'Clients of the gateway',
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        ...ruleNetwork(client),
        tags: { Name: `${name}-clients-${port}` },
      })
      if (port === 80 && client.endsWith('/0')) {
        accept(
          rule,
          'open-port-80',
          'the gateway listens there to send clients on to HTTPS, or as its routes say',
        )
      }
    }
  }
  return securityGroup
}

function createLogBucket(scope: Construct, props: LoadBalancerProps): PrivateBucket {
  const { name, accessLogExpiration = 365 } = props
  return new PrivateBucket(scope, 'access-logs', {
    name,
    purpose: 'access-logs',
    key: props.key ?? new EncryptionKey(scope, 'key', { name, purpose: 'load-balancer' }),
    expiration: accessLogExpiration,
    statements: (bucketArn) => accessLogStatements(scope, bucketArn, 'access'),
  })
}
