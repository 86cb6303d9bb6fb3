import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'

export interface AllowedTrafficProps {
  /** Security group that connects. */
  readonly fromSecurityGroupId: string
  /** Security group that is connected to. */
  readonly toSecurityGroupId: string
  /** TCP ports; order does not matter. */
  readonly ports: readonly number[]
  /**
   * Whether the group that connects needs a rule of its own; not so where it may reach everything.
   * @default true
   */
  readonly egress?: boolean
}

/** Lets one security group reach TCP ports of another. */
export class AllowedTraffic extends Construct {
  constructor(scope: Construct, id: string, props: AllowedTrafficProps) {
    super(scope, id)
    for (const port of new Set(props.ports)) {
      const traffic = { ipProtocol: 'tcp', fromPort: port, toPort: port }
      new VpcSecurityGroupIngressRule(this, `ingress-${port}`, {
        ...traffic,
        securityGroupId: props.toSecurityGroupId,
        referencedSecurityGroupId: props.fromSecurityGroupId,
      })
      if (props.egress === false) continue
      new VpcSecurityGroupEgressRule(this, `egress-${port}`, {
        ...traffic,
        securityGroupId: props.fromSecurityGroupId,
        referencedSecurityGroupId: props.toSecurityGroupId,
      })
    }
  }
}
