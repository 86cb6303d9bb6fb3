import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { EncryptionKey, PrivateBucket } from '../constructs/index.ts'

export interface StateStackProps {
  /** Region of the bucket. */
  readonly region: string
  /** Begins the name of the bucket. */
  readonly name: string
}

/**
 * The bucket that keeps the state of all environments of an account in a region: versioned, encrypted with a key of
 * its own, reached over TLS only, and not to be destroyed. Locks are files beside the state, so there is no table.
 */
export class StateStack extends TerraformStack {
  constructor(scope: Construct, id: string, { region, name }: StateStackProps) {
    super(scope, id)
    const tags = { project: 'gatehouse', environment: 'state' }
    new AwsProvider(this, 'aws', { region, defaultTags: [{ tags }] })
    const key = new EncryptionKey(this, 'key', { name, purpose: 'state' })
    const bucket = new PrivateBucket(this, 'bucket', {
      name,
      purpose: 'state',
      key,
      keep: true,
      noncurrentExpiration: 365,
    })
    new TerraformOutput(this, 'bucket_name', {
      value: bucket.name,
      description: 'state.bucket of environments',
    })
    new TerraformOutput(this, 'key_arn', { value: key.arn, description: 'state.kms_key of environments' })
  }
}
