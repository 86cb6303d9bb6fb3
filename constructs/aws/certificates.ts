import { SecretsmanagerSecret } from '@cdktf/provider-aws/lib/secretsmanager-secret/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accountOf } from './account.ts'
import { Alarm, type AlarmTopics } from './alarm.ts'
import { isDomain } from './dns.ts'
import type { Key } from './encryption-key.ts'
import { accept } from './findings.ts'
import { metricNamespace } from './fleet-scaling.ts'
import { baseNameRule, isBaseName } from './names.ts'
import type { Statement } from './policy.ts'

export interface CertificatesProps {
  /** Begins the names of the secrets; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** Names that certificates are for: `api.example.com`, `*.api.example.com`. */
  readonly domains: readonly string[]
  /** Encrypts the secrets. */
  readonly key: Key
  /** ARN of the hosted zone that holds the domains: nodes answer ACME challenges there. */
  readonly zoneArn: string
  /**
   * Whether nodes get certificates themselves, by ACME. Without it they only read what is put into the secrets.
   * @default true
   */
  readonly acme?: boolean
  /**
   * Days before the end of a certificate from which on somebody is told; a third of that before, somebody is woken.
   * @default 21
   */
  readonly warnBefore?: number
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
}

/**
 * What nodes need to serve certificates: a secret for each domain (chain and key), an account secret for ACME, the
 * permission to write TXT records at the `_acme-challenge` names of these domains and nowhere else, and alarms before
 * a certificate ends. The secrets are made empty: no key is ever known to Terraform.
 *
 * @example
 * const key = new EncryptionKey(stack, 'key', { name: 'edge' })
 * const certificates = new Certificates(stack, 'certificates', {
 *   name: 'edge',
 *   domains: ['api.example.com'],
 *   key,
 *   zoneArn: 'arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ',
 * })
 * new NodeRole(stack, 'role', { name: 'edge', statements: certificates.statements })
 * @throws ConstructError when a domain is no host name
 */
export class Certificates extends Construct {
  /** What a node must be allowed to do. */
  readonly statements: readonly Statement[]
  /** Domain → ARN of its secret. */
  readonly secretArns: Readonly<Record<string, string>>

  constructor(scope: Construct, id: string, props: CertificatesProps) {
    super(scope, id)
    const { name, key, zoneArn, acme = true, warnBefore = 21 } = props
    const domains = [...props.domains].sort()
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [domains.length > 0, 'domains: expected at least one, got none'],
      [new Set(domains).size === domains.length, `domains: expected each once, got ${domains.join(', ')}`],
      [
        Number.isInteger(warnBefore) && warnBefore >= 3 && warnBefore <= 60,
        `warnBefore: expected 3 to 60 days, got ${warnBefore}`,
      ],
      ...domains.map(
        (domain) =>
          [
            isDomain(domain),
            `domains: expected a lower-case host name, got ${JSON.stringify(domain)}`,
          ] as const,
      ),
    ])
    const createSecret = (id: string, ending: string, description: string) => {
      const secret = new SecretsmanagerSecret(this, id, {
        name: `${name}/${ending}`,
        description,
        kmsKeyId: key.arn,
        recoveryWindowInDays: 30,
        tags: { Name: `${name}/${ending}` },
      })
      accept(
        secret,
        'no-rotation',
        'the nodes renew it with a third of its lifetime left; Secrets Manager cannot',
      )
      return secret.arn
    }
    this.secretArns = Object.fromEntries(
      domains.map((domain) => [
        domain,
        createSecret(domain, `certificates/${domain.replace('*', '_')}`, `Certificate and key of ${domain}`),
      ]),
    )
    const accountSecrets = acme
      ? [createSecret('acme-account', 'acme-account', 'Key of the ACME account')]
      : []
    const secrets = [...Object.values(this.secretArns), ...accountSecrets]
    this.statements = [
      ...secretStatements(secrets, key, acme),
      ...(acme ? challengeStatements(accountOf(this).partition, zoneArn, domains) : []),
    ]
    this.#alarm(name, warnBefore, props.alarmTopics)
  }

  #alarm(name: string, warnBefore: number, topics: AlarmTopics | undefined) {
    for (const [severity, days] of [
      ['tell', warnBefore],
      ['page', Math.ceil(warnBefore / 3)],
    ] as const) {
      new Alarm(this, `certificate-ends-${severity}`, {
        name,
        topics,
        severity,
        description: `A certificate of ${name} ends in less than ${days} days and was not renewed: look at error.log of the nodes`,
        metric: {
          namespace: metricNamespace(name),
          name: 'CertificateDaysLeft',
          dimensions: {},
          statistic: 'Minimum',
        },
        comparison: '<',
        threshold: days,
        period: 3600,
        periods: 2,
      })
    }
  }
}

function secretStatements(secrets: readonly string[], key: Key, write: boolean): Statement[] {
  return [
    {
      sid: 'ReadCertificates',
      actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
      resources: secrets,
    },
    { sid: 'DecryptCertificates', actions: ['kms:Decrypt'], resources: [key.arn] },
    ...(write
      ? ([
          {
            sid: 'WriteCertificates',
            actions: ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
            resources: secrets,
          },
          { sid: 'EncryptCertificates', actions: ['kms:GenerateDataKey'], resources: [key.arn] },
        ] satisfies Statement[])
      : []),
  ]
}

/** Source: Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control". */
function challengeStatements(partition: string, zoneArn: string, domains: readonly string[]): Statement[] {
  const names = [...new Set(domains.map((domain) => `_acme-challenge.${domain.replace(/^\*\./, '')}`))]
  return [
    {
      sid: 'AnswerChallenges',
      actions: ['route53:ChangeResourceRecordSets'],
      resources: [zoneArn],
      conditions: {
        'ForAllValues:StringEquals': {
          'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE', 'UPSERT'],
          'route53:ChangeResourceRecordSetsNormalizedRecordNames': names,
          'route53:ChangeResourceRecordSetsRecordTypes': ['TXT'],
        },
      },
    },
    {
      sid: 'AwaitChallenges',
      actions: ['route53:GetChange'],
      resources: [`arn:${partition}:route53:::change/*`],
      wildcardReason:
        'a change has an id of its own, which is known once it is made; nothing but its state is read',
    },
    { sid: 'SeeChallenges', actions: ['route53:ListResourceRecordSets'], resources: [zoneArn] },
  ]
}
