import { CloudwatchCompositeAlarm } from '@cdktf/provider-aws/lib/cloudwatch-composite-alarm/index.js'
import { CloudwatchLogMetricFilter } from '@cdktf/provider-aws/lib/cloudwatch-log-metric-filter/index.js'
import { SsmParameter } from '@cdktf/provider-aws/lib/ssm-parameter/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { Alarm, type AlarmTopics } from './alarm.ts'
import { agentConfiguration } from './cloudwatch-agent.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { metricNamespace } from './fleet-scaling.ts'
import { createLogGroup, type Retention } from './log-group.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Statement } from './policy.ts'

export interface ObservabilityProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /**
   * Days that access and error logs are kept.
   * @default 365
   */
  readonly retention?: Retention
  /**
   * Answers of 500 and above a minute from which on somebody is woken.
   * @default 100
   */
  readonly errorThreshold?: number
  /**
   * Seconds of the gateway's own part of a request, at the 99th percentile, from which on somebody is woken.
   * @default 0.25
   */
  readonly latencyThreshold?: number
  /**
   * Encrypts logs and the configuration of the agent.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
}

/**
 * What is known of a running gateway: log groups that the nodes ship access.log and error.log to, metrics that are read
 * off the access log (requests, errors, durations), the configuration of the CloudWatch agent, alarms on errors and
 * latency, and one that says whether clients notice.
 *
 * @example
 * const observability = new Observability(stack, 'observability', { name: 'edge', errorThreshold: 50 })
 * new NodeRole(stack, 'role', { name: 'edge', statements: observability.statements })
 * @throws ConstructError when a value is out of range
 */
export class Observability extends Construct {
  /** What a node must be allowed to do to ship its logs. */
  readonly statements: readonly Statement[]
  /** Names of the alarms that a deployment must not set off. */
  readonly rollbackAlarms: readonly string[]

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id)
    const { name, retention = 365, errorThreshold = 100, latencyThreshold = 0.25 } = props
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [errorThreshold > 0, `errorThreshold: expected more than 0, got ${errorThreshold}`],
      [latencyThreshold > 0, `latencyThreshold: expected more than 0 seconds, got ${latencyThreshold}`],
    ])
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'logs' })
    const createGroup = (log: string) =>
      createLogGroup(this, log, { logGroupName: `/gatehouse/${name}/${log}`, key, retention })
    const access = createGroup('access')
    const errors = createGroup('error')
    for (const { metric, pattern, value, unit } of metrics) {
      new CloudwatchLogMetricFilter(this, `metric-${metric}`, {
        name: awsName(512, name, metric),
        logGroupName: access.name,
        pattern,
        metricTransformation: {
          namespace: metricNamespace(name),
          name: metric,
          value,
          unit,
          ...(value === '1' && { defaultValue: '0' }),
        },
      })
    }
    const parameter = new SsmParameter(this, 'agent', {
      name: `/gatehouse/${name}/cloudwatch-agent`,
      description: 'Configuration of the CloudWatch agent on the nodes',
      type: 'SecureString',
      keyId: key.arn,
      value: agentConfiguration({
        access: access.name,
        errors: errors.name,
        namespace: metricNamespace(name),
      }),
      tags: { Name: `${name}-cloudwatch-agent` },
    })
    this.rollbackAlarms = this.#alarm(props, { errorThreshold, latencyThreshold })
    this.statements = [
      {
        sid: 'ShipLogs',
        actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
        resources: [`${access.arn}:*`, `${errors.arn}:*`],
        wildcardReason: 'a stream for every node, in these two groups',
      },
      { sid: 'ConfigureAgent', actions: ['ssm:GetParameter'], resources: [parameter.arn] },
      { sid: 'DecryptAgent', actions: ['kms:Decrypt'], resources: [key.arn] },
    ]
  }

  #alarm(
    props: ObservabilityProps,
    thresholds: { errorThreshold: number; latencyThreshold: number },
  ): string[] {
    const { name, alarmTopics: topics } = props
    const namespace = metricNamespace(name)
    const errors = new Alarm(this, 'errors', {
      name,
      topics,
      severity: 'page',
      description: `${name} answers with 500 and above: look at the codes in access.log, and at error.log`,
      metric: { namespace, name: 'ServerErrors', dimensions: {}, statistic: 'Sum' },
      comparison: '>',
      threshold: thresholds.errorThreshold,
    })
    const latency = new Alarm(this, 'latency', {
      name,
      topics,
      severity: 'page',
      description: `${name} itself is slow, beside its services: look at the CPU of the nodes and at its plugins`,
      metric: { namespace, name: 'GatewayDuration', dimensions: {}, statistic: 'p99' },
      comparison: '>',
      threshold: thresholds.latencyThreshold,
    })
    new CloudwatchCompositeAlarm(this, 'clients-notice', {
      alarmName: awsName(255, name, 'clients-notice'),
      alarmDescription: `PAGE: clients of ${name} get errors, and wait for the gateway itself`,
      alarmRule: `ALARM("${errors.alarmName}") AND ALARM("${latency.alarmName}")`,
      actionsEnabled: true,
      alarmActions: topics ? [topics.page] : [],
      okActions: topics ? [topics.page] : [],
      tags: { Name: awsName(255, name, 'clients-notice') },
    })
    return [errors.alarmName, latency.alarmName]
  }
}

/** Fields of access.log → metrics. Source: CloudWatch Logs User Guide, "Filter pattern syntax for metric filters". */
const metrics = [
  { metric: 'Requests', pattern: '{ $.status > 0 }', value: '1', unit: 'Count' },
  { metric: 'ServerErrors', pattern: '{ $.status >= 500 }', value: '1', unit: 'Count' },
  { metric: 'Limited', pattern: '{ $.status = 429 }', value: '1', unit: 'Count' },
  { metric: 'CircuitsOpen', pattern: '{ $.status = 503 }', value: '1', unit: 'Count' },
  { metric: 'Duration', pattern: '{ $.duration >= 0 }', value: '$.duration', unit: 'Seconds' },
  {
    metric: 'GatewayDuration',
    pattern: '{ $.gateway_duration >= 0 }',
    value: '$.gateway_duration',
    unit: 'Seconds',
  },
] as const
