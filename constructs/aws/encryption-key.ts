import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias/index.js'
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accountOf } from './account.ts'
import { baseNameRule, isBaseName } from './names.ts'
import { explainWildcards, policyDocument, type Statement } from './policy.ts'

/** A KMS key that other constructs encrypt with. `EncryptionKey` makes one; an existing one fits as well. */
export interface Key {
  readonly arn: string
}

export interface EncryptionKeyProps {
  /** Begins the alias; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /**
   * Ends the alias.
   * @default 'gateway'
   */
  readonly purpose?: string
  /**
   * Days between the deletion of the key and the end of what it encrypts, 7 to 30.
   * @default 30
   */
  readonly deletionWindow?: number
}

/**
 * A customer key, rotated every year, for everything that a gateway keeps: volumes, logs, databases, buckets, secrets.
 * People and roles of the account use it as their IAM policies say; of AWS's services, those that write on their own
 * (CloudWatch Logs, log delivery, alarms, budgets) may, and only for this account. Source: KMS Developer Guide, "Key
 * policies"; CloudWatch Logs User Guide, "Encrypt log data".
 *
 * @example
 * const key = new EncryptionKey(stack, 'key', { name: 'edge' })
 * new ConfigBucket(stack, 'configuration', { name: 'edge', key, files: { 'config.yaml': 'workers: auto' } })
 * @throws ConstructError when a value is out of range
 */
export class EncryptionKey extends Construct implements Key {
  readonly arn: string

  constructor(scope: Construct, id: string, props: EncryptionKeyProps) {
    super(scope, id)
    const { name, purpose = 'gateway', deletionWindow = 30 } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [isBaseName(purpose), `purpose: ${baseNameRule}, got ${JSON.stringify(purpose)}`],
      [
        Number.isInteger(deletionWindow) && deletionWindow >= 7 && deletionWindow <= 30,
        `deletionWindow: expected 7 to 30 days, got ${deletionWindow}`,
      ],
    ])
    const statements = keyStatements(this)
    const key = new KmsKey(this, 'key', {
      description: `${name}: ${purpose}`,
      enableKeyRotation: true,
      deletionWindowInDays: deletionWindow,
      policy: policyDocument(statements),
      tags: { Name: `${name}-${purpose}` },
    })
    explainWildcards(key, statements)
    new KmsAlias(this, 'alias', { name: `alias/${name}-${purpose}`, targetKeyId: key.keyId })
    this.arn = key.arn
  }
}

/** What a service needs to encrypt and decrypt data keys. */
const use = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
] as const

function keyStatements(scope: Construct): Statement[] {
  const { id, partition, region } = accountOf(scope)
  return [
    {
      sid: 'Account',
      principals: { AWS: [`arn:${partition}:iam::${id}:root`] },
      actions: ['kms:*'],
      resources: ['*'],
      wildcardReason:
        'lets the IAM policies of this account decide, without which nobody could manage the key; in the policy of a key, * is the key itself',
    },
    {
      sid: 'Logs',
      principals: { Service: [`logs.${region}.amazonaws.com`] },
      actions: [...use],
      resources: ['*'],
      conditions: {
        ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${id}:*` },
      },
      wildcardReason: 'in the policy of a key, * is the key itself',
    },
    {
      sid: 'Delivery',
      principals: {
        Service: ['delivery.logs.amazonaws.com', 'cloudwatch.amazonaws.com', 'budgets.amazonaws.com'],
      },
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': id } },
      wildcardReason: 'in the policy of a key, * is the key itself',
    },
  ]
}
