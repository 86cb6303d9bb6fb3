import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js'
import { Route53HostedZoneDnssec } from '@cdktf/provider-aws/lib/route53-hosted-zone-dnssec/index.js'
import { Route53KeySigningKey } from '@cdktf/provider-aws/lib/route53-key-signing-key/index.js'
import type { Construct } from 'constructs'
import { accountOf } from './account.ts'
import { awsName } from './names.ts'
import { explainWildcards, policyDocument, type Statement } from './policy.ts'

/**
 * Signs a zone with a key in us-east-1, where Route 53 takes keys from. Source: Route 53 Developer Guide, "Working with
 * customer managed keys for DNSSEC".
 */
export function signZone(scope: Construct, zone: string, hostedZoneId: string) {
  const { id, partition } = accountOf(scope)
  const principals = { Service: ['dnssec-route53.amazonaws.com'] }
  const theKey = 'in the policy of a key, * is the key itself'
  const statements: Statement[] = [
    {
      sid: 'Account',
      principals: { AWS: [`arn:${partition}:iam::${id}:root`] },
      actions: ['kms:*'],
      resources: ['*'],
      wildcardReason: `lets the IAM policies of this account decide; ${theKey}`,
    },
    {
      sid: 'Sign',
      principals,
      actions: ['kms:DescribeKey', 'kms:GetPublicKey', 'kms:Sign'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': id } },
      wildcardReason: theKey,
    },
    {
      sid: 'Grant',
      principals,
      actions: ['kms:CreateGrant'],
      resources: ['*'],
      conditions: {
        Bool: { 'kms:GrantIsForAWSResource': 'true' },
        StringEquals: { 'aws:SourceAccount': id },
      },
      wildcardReason: theKey,
    },
  ]
  const key = new KmsKey(scope, 'dnssec-key', {
    region: 'us-east-1',
    description: `Signs the zone ${zone}`,
    customerMasterKeySpec: 'ECC_NIST_P256',
    keyUsage: 'SIGN_VERIFY',
    deletionWindowInDays: 30,
    policy: policyDocument(statements),
    tags: { Name: zone },
  })
  explainWildcards(key, statements)
  const signingKey = new Route53KeySigningKey(scope, 'signing-key', {
    hostedZoneId,
    keyManagementServiceArn: key.arn,
    name: awsName(128, zone).replaceAll('-', '_'),
  })
  new Route53HostedZoneDnssec(scope, 'dnssec', { hostedZoneId, dependsOn: [signingKey] })
}
