import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { Construct } from 'constructs'
import { Alarm, type AlarmTopics } from './alarm.ts'
import { awsName } from './names.ts'
import type { Network } from './network.ts'

/** How a load balancer finds out that a node is ready. */
export interface HealthCheck {
  /**
   * HTTPS where the status port of the nodes speaks TLS; the certificate is not checked, as load balancers never do.
   * @default 'HTTP'
   */
  readonly protocol?: 'HTTP' | 'HTTPS'
  /** @default 9090 */
  readonly port?: number
  /**
   * Seconds between checks, 5 to 300.
   * @default 10
   */
  readonly interval?: number
  /**
   * Checks in a row that take a node in or out, 2 to 10.
   * @default 2
   */
  readonly threshold?: number
}

export interface TargetGroupsProps {
  /** Begins the names. */
  readonly name: string
  readonly network: Network
  readonly ports: readonly number[]
  readonly fleet: 'blue' | 'green'
  /** How CloudWatch calls the load balancer. */
  readonly loadBalancer: string
  readonly healthCheck?: HealthCheck
  readonly clientAddress?: 'preserve' | 'proxy-protocol'
  readonly deregistrationDelay?: number
  readonly alarmTopics?: AlarmTopics | undefined
}

/** What must hold of a health check, for `checkProps`. */
export function healthCheckRules({ port = 9090, interval = 10, threshold = 2 }: HealthCheck) {
  const within = (key: string, value: number, min: number, max: number) =>
    [
      Number.isInteger(value) && value >= min && value <= max,
      `healthCheck.${key}: expected ${min} to ${max}, got ${value}`,
    ] as const
  return [
    within('port', port, 1, 65_535),
    within('interval', interval, 5, 300),
    within('threshold', threshold, 2, 10),
  ]
}

/** The target groups of one fleet, one a port. */
export class TargetGroups extends Construct {
  /** Port → ARN. */
  readonly byPort: Readonly<Record<number, string>>
  readonly #props: TargetGroupsProps
  readonly #metricNames: ReadonlyMap<number, string>

  constructor(scope: Construct, id: string, props: TargetGroupsProps) {
    super(scope, id)
    const { name, network, ports, fleet, clientAddress = 'preserve', deregistrationDelay = 45 } = props
    const {
      protocol = 'HTTP',
      port: statusPort = 9090,
      interval = 10,
      threshold = 2,
    } = props.healthCheck ?? {}
    const groups = ports.map((port) => {
      const suffix = fleet === 'blue' ? String(port) : `green-${port}`
      const group = new LbTargetGroup(this, `targets-${port}`, {
        name: awsName(32, name, suffix),
        vpcId: network.vpcId,
        targetType: 'instance',
        protocol: 'TCP',
        port,
        preserveClientIp: String(clientAddress === 'preserve'),
        proxyProtocolV2: clientAddress === 'proxy-protocol',
        deregistrationDelay: String(deregistrationDelay),
        connectionTermination: true,
        healthCheck: {
          enabled: true,
          protocol,
          port: String(statusPort),
          path: '/readyz',
          matcher: '200',
          interval,
          timeout: Math.min(5, interval - 1),
          healthyThreshold: threshold,
          unhealthyThreshold: threshold,
        },
        tags: { Name: `${name}-${suffix}` },
      })
      return [port, group] as const
    })
    this.#props = props
    this.byPort = Object.fromEntries(groups.map(([port, group]) => [port, group.arn]))
    this.#metricNames = new Map(groups.map(([port, group]) => [port, group.arnSuffix]))
  }

  /** Alarms for a fleet that clients are sent to. */
  alarm() {
    const { name, fleet, loadBalancer, alarmTopics: topics } = this.#props
    for (const [port, targetGroup] of this.#metricNames) {
      const metric = {
        namespace: 'AWS/NetworkELB',
        dimensions: { LoadBalancer: loadBalancer, TargetGroup: targetGroup },
      }
      new Alarm(this, `${fleet}-no-node-${port}`, {
        name,
        topics,
        severity: 'page',
        description: `No node of ${name} (${fleet}) is ready on port ${port}: look at /readyz and error.log of the nodes, and at the activity of the auto scaling group`,
        metric: { ...metric, name: 'HealthyHostCount', statistic: 'Maximum' },
        comparison: '<',
        threshold: 1,
        periods: 2,
        missing: 'breaching',
      })
      new Alarm(this, `${fleet}-unready-nodes-${port}`, {
        name,
        topics,
        severity: 'tell',
        description: `A node of ${name} (${fleet}) has not been ready on port ${port} for ten minutes`,
        metric: { ...metric, name: 'UnHealthyHostCount', statistic: 'Maximum' },
        comparison: '>',
        threshold: 0,
        periods: 10,
      })
    }
  }
}
