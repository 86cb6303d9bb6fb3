import { FlowLog } from '@cdktf/provider-aws/lib/flow-log/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import type { Construct } from 'constructs'
import { accountOf } from './account.ts'
import type { Key } from './encryption-key.ts'
import { createLogGroup, type Retention } from './log-group.ts'
import { awsName } from './names.ts'
import { explainWildcards, policyDocument, type Statement, trustService } from './policy.ts'

/** Logs every accepted and refused connection of a VPC, with a role that may write there and nowhere else. */
export function createFlowLog(
  scope: Construct,
  { name, vpcId, key, retention }: { name: string; vpcId: string; key: Key; retention: Retention },
) {
  const { id } = accountOf(scope)
  const group = createLogGroup(scope, 'flow-logs', {
    logGroupName: `/gatehouse/${name}/flow`,
    key,
    retention,
  })
  const role = new IamRole(scope, 'flow-role', {
    name: awsName(64, name, 'flow-logs'),
    description: 'Writes the flow logs of the VPC',
    assumeRolePolicy: trustService('vpc-flow-logs.amazonaws.com', {
      StringEquals: { 'aws:SourceAccount': id },
    }),
  })
  const statements: Statement[] = [
    {
      sid: 'Write',
      actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      resources: [`${group.arn}:*`],
      wildcardReason: 'a stream for every network interface, named as it comes, in this one group',
    },
  ]
  const policy = new IamRolePolicy(scope, 'flow-policy', {
    name: 'flow-logs',
    role: role.id,
    policy: policyDocument(statements),
  })
  explainWildcards(policy, statements)
  new FlowLog(scope, 'flow-log', {
    vpcId,
    trafficType: 'ALL',
    logDestinationType: 'cloud-watch-logs',
    logDestination: group.arn,
    iamRoleArn: role.arn,
    maxAggregationInterval: 60,
    tags: { Name: name },
    dependsOn: [policy],
  })
}
