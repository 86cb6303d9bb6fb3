import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js'
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accountOf } from './account.ts'
import type { AlarmTopics } from './alarm.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import { policyDocument } from './policy.ts'

export interface AlertsProps {
  /** Begins the names of the topics; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /**
   * Who is woken: e-mail addresses, and https addresses of a paging service.
   * @default []
   */
  readonly page?: readonly string[]
  /**
   * Who reads in the morning.
   * @default []
   */
  readonly tell?: readonly string[]
  /**
   * Encrypts the messages; must let CloudWatch and budgets use it, as `EncryptionKey` does.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
}

/**
 * Two topics for alarms: one that wakes somebody, and one that is read in the morning. Alarms and budgets of this
 * account may publish to them, and nobody else.
 *
 * @example
 * const alerts = new Alerts(stack, 'alerts', { name: 'edge', page: ['oncall@example.com'] })
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones: ['eu-central-1a', 'eu-central-1b'] })
 * new RedisCluster(stack, 'redis', { name: 'edge', network, alarmTopics: alerts })
 * @throws ConstructError when an address is none
 */
export class Alerts extends Construct implements AlarmTopics {
  readonly page: string
  readonly tell: string

  constructor(scope: Construct, id: string, props: AlertsProps) {
    super(scope, id)
    const { name, page = [], tell = [] } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      ...[...page, ...tell].map(
        (address) =>
          [
            protocolOf(address) !== undefined,
            `page, tell: expected an e-mail or https address, got ${JSON.stringify(address)}`,
          ] as const,
      ),
    ])
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'alerts' })
    this.page = this.#createTopic('page', name, key, page)
    this.tell = this.#createTopic('tell', name, key, tell)
  }

  #createTopic(severity: keyof AlarmTopics, name: string, key: Key, addresses: readonly string[]): string {
    const topic = new SnsTopic(this, severity, {
      name: awsName(256, name, severity),
      displayName: awsName(100, name, severity),
      kmsMasterKeyId: key.arn,
      signatureVersion: 2,
      tags: { Name: awsName(256, name, severity) },
    })
    const account = { StringEquals: { 'aws:SourceAccount': accountOf(this).id } }
    new SnsTopicPolicy(this, `${severity}-policy`, {
      arn: topic.arn,
      policy: policyDocument([
        {
          sid: 'Alarms',
          principals: { Service: ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'] },
          actions: ['sns:Publish'],
          resources: [topic.arn],
          conditions: account,
        },
        {
          sid: 'TlsOnly',
          effect: 'Deny',
          principals: '*',
          actions: ['sns:Publish'],
          resources: [topic.arn],
          conditions: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ]),
    })
    for (const address of [...new Set(addresses)].sort()) {
      new SnsTopicSubscription(this, `${severity}-${address}`, {
        topicArn: topic.arn,
        protocol: protocolOf(address)!,
        endpoint: address,
      })
    }
    return topic.arn
  }
}

function protocolOf(address: string): 'email' | 'https' | undefined {
  if (/^https:\/\/[a-z0-9.-]+(\/\S*)?$/i.test(address)) return 'https'
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address) ? 'email' : undefined
}
