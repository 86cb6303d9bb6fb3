import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js'
import { DataAwsPartition } from '@cdktf/provider-aws/lib/data-aws-partition/index.js'
import { DataAwsRegion } from '@cdktf/provider-aws/lib/data-aws-region/index.js'
import { TerraformStack } from 'cdktf'
import type { IConstruct } from 'constructs'

/** Where a stack is deployed; known at deployment only. */
export interface Account {
  readonly id: string
  /** aws, aws-cn or aws-us-gov: the second part of every ARN. */
  readonly partition: string
  readonly region: string
}

const accounts = new WeakMap<TerraformStack, Account>()

/** The account that a stack is deployed to; looked up once a stack. */
export function accountOf(scope: IConstruct): Account {
  const stack = TerraformStack.of(scope)
  const known = accounts.get(stack)
  if (known) return known
  const account = {
    id: new DataAwsCallerIdentity(stack, 'gateway-account').accountId,
    partition: new DataAwsPartition(stack, 'gateway-partition').partition,
    region: new DataAwsRegion(stack, 'gateway-region').region,
  }
  accounts.set(stack, account)
  return account
}
