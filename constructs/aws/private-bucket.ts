import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js'
import { S3BucketLifecycleConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js'
import { S3BucketNotification } from '@cdktf/provider-aws/lib/s3-bucket-notification/index.js'
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls/index.js'
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js'
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js'
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js'
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accountOf } from './account.ts'
import type { Key } from './encryption-key.ts'
import { accept } from './findings.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import { explainWildcards, policyDocument, type Statement } from './policy.ts'

export interface PrivateBucketProps {
  /** Begins the name of the bucket, which ends with account and region; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /** What it holds, in one word: `logs`. */
  readonly purpose: string
  /** Encrypts every object. */
  readonly key: Key
  /**
   * Days until an object is deleted.
   * @default never
   */
  readonly expiration?: number
  /**
   * Days that replaced and deleted versions are kept.
   * @default 90
   */
  readonly noncurrentExpiration?: number
  /**
   * Whether Terraform refuses to destroy it.
   * @default false: AWS refuses while it holds anything
   */
  readonly keep?: boolean
  /**
   * Who else may do what, given the ARN of the bucket.
   * @default [] nobody but roles of this account, as their own policies say
   */
  readonly statements?: (bucketArn: string) => readonly Statement[]
}

/**
 * A bucket that nobody reaches without TLS 1.2 and a policy of this account: no public access, no ACLs, versions kept,
 * every object encrypted with a customer key, every change an event of EventBridge.
 *
 * @example
 * const key = new EncryptionKey(stack, 'key', { name: 'edge' })
 * new PrivateBucket(stack, 'reports', { name: 'edge', purpose: 'reports', key, expiration: 365 })
 * @throws ConstructError when a value is out of range
 */
export class PrivateBucket extends Construct {
  readonly name: string
  readonly arn: string
  /** The policy; what needs it in force waits for this. */
  readonly policy: S3BucketPolicy

  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    super(scope, id)
    const { name, purpose, key, expiration, noncurrentExpiration = 90 } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [isBaseName(purpose), `purpose: ${baseNameRule}, got ${JSON.stringify(purpose)}`],
      ...[expiration ?? 1, noncurrentExpiration].map(
        (days) =>
          [Number.isInteger(days) && days >= 1, `expiration: expected 1 day or more, got ${days}`] as const,
      ),
    ])
    const account = accountOf(this)
    const bucket = new S3Bucket(this, 'bucket', {
      // 63 characters at most, of which account and region take up to 28.
      bucket: `${awsName(34, name, purpose)}-${account.id}-${account.region}`,
      tags: { Name: `${name}-${purpose}` },
      ...(props.keep && { lifecycle: { preventDestroy: true } }),
    })
    accept(
      bucket,
      'no-replica',
      'what it holds is made again by a deployment, or is a log that one region needs',
    )
    accept(
      bucket,
      'no-object-log',
      'logs of S3 cannot go to a bucket with a customer key; the trail of the account has them',
    )
    this.name = bucket.bucket
    this.arn = bucket.arn
    this.policy = protect(this, bucket, props.statements?.(bucket.arn) ?? [])
    new S3BucketNotification(this, 'events', { bucket: bucket.id, eventbridge: true })
    new S3BucketVersioningA(this, 'versions', {
      bucket: bucket.id,
      versioningConfiguration: { status: 'Enabled' },
    })
    new S3BucketServerSideEncryptionConfigurationA(this, 'encryption', {
      bucket: bucket.id,
      rule: [
        {
          bucketKeyEnabled: true,
          applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: key.arn },
        },
      ],
    })
    new S3BucketLifecycleConfiguration(this, 'lifecycle', {
      bucket: bucket.id,
      rule: [
        {
          id: 'expire',
          status: 'Enabled',
          filter: [{ prefix: '' }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 1 }],
          noncurrentVersionExpiration: [{ noncurrentDays: noncurrentExpiration }],
          ...(expiration !== undefined && { expiration: [{ days: expiration }] }),
        },
      ],
    })
  }
}

function protect(scope: Construct, bucket: S3Bucket, statements: readonly Statement[]): S3BucketPolicy {
  const access = new S3BucketPublicAccessBlock(scope, 'access', {
    bucket: bucket.id,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  })
  new S3BucketOwnershipControls(scope, 'ownership', {
    bucket: bucket.id,
    rule: { objectOwnership: 'BucketOwnerEnforced' },
  })
  const deny = (sid: string, conditions: NonNullable<Statement['conditions']>): Statement => ({
    sid,
    effect: 'Deny',
    principals: '*',
    actions: ['s3:*'],
    resources: [bucket.arn, `${bucket.arn}/*`],
    conditions,
  })
  const all = [
    deny('TlsOnly', { Bool: { 'aws:SecureTransport': 'false' } }),
    deny('NoOldTls', { NumericLessThan: { 's3:TlsVersion': '1.2' } }),
    ...statements,
  ]
  const policy = new S3BucketPolicy(scope, 'policy', {
    bucket: bucket.id,
    policy: policyDocument(all),
    dependsOn: [access],
  })
  explainWildcards(policy, statements)
  return policy
}
