import { IamInstanceProfile } from '@cdktf/provider-aws/lib/iam-instance-profile/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js'
import { Fn } from 'cdktf'
import { Construct } from 'constructs'
import { awsName } from './names.ts'

export interface NodeRoleProps {
  /** Begins the names of the role and its profile. */
  readonly name: string
  /** Resources that nodes may `elasticache:Connect` to; empty for none. */
  readonly redisConnectArns: readonly string[]
}

/** What a node may do in AWS: be managed by Session Manager in place of SSH, and connect to its Redis. */
export class NodeRole extends Construct {
  readonly instanceProfileArn: string

  constructor(scope: Construct, id: string, { name, redisConnectArns }: NodeRoleProps) {
    super(scope, id)
    const role = new IamRole(this, 'role', {
      name: awsName(64, name, 'node'),
      description: 'Gateway nodes',
      assumeRolePolicy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'ec2.amazonaws.com' } },
        ],
      }),
    })
    new IamRolePolicyAttachment(this, 'session-manager', {
      role: role.name,
      policyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
    })
    if (redisConnectArns.length > 0) {
      new IamRolePolicy(this, 'redis', {
        name: 'redis',
        role: role.id,
        policy: Fn.jsonencode({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 'elasticache:Connect', Resource: [...redisConnectArns] }],
        }),
      })
    }
    const profile = new IamInstanceProfile(this, 'profile', {
      name: awsName(128, name, 'node'),
      role: role.name,
    })
    this.instanceProfileArn = profile.arn
  }
}
