import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js'
import type { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import type { Key } from './encryption-key.ts'

/** Days that CloudWatch Logs can keep, of those that are a year and more (API reference, PutRetentionPolicy). */
export const retentions = [365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653] as const
export type Retention = (typeof retentions)[number]

export interface LogGroupOptions {
  /** `/gatehouse/NAME/flow`. */
  readonly logGroupName: string
  /** Encrypts what is logged. */
  readonly key: Key
  /**
   * Days that logs are kept.
   * @default 365
   */
  readonly retention?: Retention
}

/** A log group that keeps what it gets for a year or more, encrypted with a customer key. */
export function createLogGroup(scope: Construct, id: string, options: LogGroupOptions): CloudwatchLogGroup {
  const { logGroupName, key, retention = 365 } = options
  checkProps(scope, [
    [
      retentions.includes(retention),
      `retention: expected one of ${retentions.join(', ')} days, got ${retention}`,
    ],
  ])
  return new CloudwatchLogGroup(scope, id, {
    name: logGroupName,
    retentionInDays: retention,
    kmsKeyId: key.arn,
    tags: { Name: logGroupName },
  })
}
