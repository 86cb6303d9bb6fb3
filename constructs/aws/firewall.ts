import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import { accept } from './findings.ts'

export interface AllowedTrafficProps {
  /** Security group that connects. */
  readonly fromSecurityGroupId: string
  /** Security group that is connected to. */
  readonly toSecurityGroupId: string
  /** TCP ports; order does not matter. */
  readonly ports: readonly number[]
  /** What it is for, as people read it in the console: letters, digits, spaces and ".-_". */
  readonly description: string
  /**
   * Whether the group that connects needs a rule of its own; not so where it may reach everything.
   * @default true
   */
  readonly egress?: boolean
}

/**
 * Lets one security group reach TCP ports of another.
 *
 * @example
 * new AllowedTraffic(stack, 'nodes-to-redis', {
 *   fromSecurityGroupId: 'sg-0123456789abcdef0',
 *   toSecurityGroupId: 'sg-0123456789abcdef1',
 *   ports: [6379],
 *   description: 'Nodes count in Redis',
 * })
 */
export class AllowedTraffic extends Construct {
  constructor(scope: Construct, id: string, props: AllowedTrafficProps) {
    super(scope, id)
    for (const port of new Set(props.ports)) {
      const traffic = { ipProtocol: 'tcp', fromPort: port, toPort: port, description: props.description }
      const ingress = new VpcSecurityGroupIngressRule(this, `ingress-${port}`, {
        ...traffic,
        securityGroupId: props.toSecurityGroupId,
        referencedSecurityGroupId: props.fromSecurityGroupId,
      })
      if (port === 80) accept(ingress, 'open-port-80', 'open to one security group, to no network')
      if (props.egress === false) continue
      new VpcSecurityGroupEgressRule(this, `egress-${port}`, {
        ...traffic,
        securityGroupId: props.fromSecurityGroupId,
        referencedSecurityGroupId: props.toSecurityGroupId,
      })
    }
  }
}

/** One side of a connection to or from a network: `{ cidrIpv4 }` or `{ cidrIpv6 }`. */
export const ruleNetwork = (network: string) =>
  network.includes(':') ? { cidrIpv6: network } : { cidrIpv4: network }
