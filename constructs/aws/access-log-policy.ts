import type { IConstruct } from 'constructs'
import { accountOf } from './account.ts'
import type { Statement } from './policy.ts'

/**
 * Lets load balancers of this account write access logs to a bucket. Source: User Guide for Network Load Balancers,
 * "Access logs".
 */
export function accessLogStatements(scope: IConstruct, bucketArn: string, prefix: string): Statement[] {
  const { id, partition, region } = accountOf(scope)
  const principals = { Service: ['delivery.logs.amazonaws.com'] }
  const ofThisAccount = {
    StringEquals: { 'aws:SourceAccount': id },
    ArnLike: { 'aws:SourceArn': `arn:${partition}:logs:${region}:${id}:*` },
  }
  return [
    {
      sid: 'DeliverLogs',
      principals,
      actions: ['s3:PutObject'],
      resources: [`${bucketArn}/${prefix}/AWSLogs/${id}/*`],
      conditions: ofThisAccount,
      wildcardReason: 'an object for every five minutes, below the prefix of this account',
    },
    {
      sid: 'FindBucket',
      principals,
      actions: ['s3:GetBucketAcl'],
      resources: [bucketArn],
      conditions: ofThisAccount,
    },
  ]
}
