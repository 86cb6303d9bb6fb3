import { IamInstanceProfile } from '@cdktf/provider-aws/lib/iam-instance-profile/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import { Construct } from 'constructs'
import { withPath } from '../errors.ts'
import { awsName } from './names.ts'
import { explainWildcards, policyDocument, type Statement, trustService } from './policy.ts'

export interface NodeRoleProps {
  /** Begins the names of the role and its profile. */
  readonly name: string
  /**
   * Ends them.
   * @default 'node'
   */
  readonly purpose?: string
  /**
   * What instances may do beside being managed by Session Manager.
   * @default []
   */
  readonly statements?: readonly Statement[]
}

/**
 * What Session Manager needs in place of SSH: nothing of Parameter Store, unlike the policy that AWS offers for it.
 * Source: Systems Manager User Guide, "Create a custom IAM role for Session Manager".
 */
const sessionManager: Statement = {
  sid: 'SessionManager',
  actions: [
    'ssm:UpdateInstanceInformation',
    'ssmmessages:CreateControlChannel',
    'ssmmessages:CreateDataChannel',
    'ssmmessages:OpenControlChannel',
    'ssmmessages:OpenDataChannel',
  ],
  resources: ['*'],
  wildcardReason:
    'these actions know no resources (Service Authorization Reference); each speaks for its own instance',
}

/**
 * The role of instances: managed by Session Manager in place of SSH, and what is given, and nothing else.
 *
 * @example
 * new NodeRole(stack, 'role', {
 *   name: 'edge',
 *   statements: [
 *     { sid: 'ReadParameter', actions: ['ssm:GetParameter'], resources: ['arn:aws:ssm:eu-central-1:123456789012:parameter/edge'] },
 *   ],
 * })
 * @throws ConstructError when a statement has a wildcard and no reason for it
 */
export class NodeRole extends Construct {
  readonly instanceProfileArn: string
  readonly instanceProfileName: string
  readonly roleName: string
  /** The policy; what launches instances waits for it. */
  readonly policy: IamRolePolicy

  constructor(scope: Construct, id: string, { name, purpose = 'node', statements = [] }: NodeRoleProps) {
    super(scope, id)
    const role = new IamRole(this, 'role', {
      name: awsName(64, name, purpose),
      description: `Instances of ${name}: ${purpose}`,
      assumeRolePolicy: trustService('ec2.amazonaws.com'),
      tags: { Name: awsName(64, name, purpose) },
    })
    const all = [sessionManager, ...statements]
    this.policy = new IamRolePolicy(this, 'policy', {
      name: purpose,
      role: role.id,
      policy: withPath(this, () => policyDocument(all)),
    })
    explainWildcards(this.policy, all)
    const profile = new IamInstanceProfile(this, 'profile', {
      name: awsName(128, name, purpose),
      role: role.name,
      tags: { Name: awsName(128, name, purpose) },
    })
    this.roleName = role.name
    this.instanceProfileArn = profile.arn
    this.instanceProfileName = profile.name
  }
}
