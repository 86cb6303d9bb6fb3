import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { Construct } from 'constructs'
import { awsName } from './names.ts'

/** SNS topics (ARNs) that alarms go to. */
export interface AlarmTopics {
  /** Wakes somebody: clients notice, or will within minutes. */
  readonly page: string
  /** Is read in the morning. */
  readonly tell: string
}

export interface Metric {
  readonly namespace: string
  readonly name: string
  readonly dimensions: Readonly<Record<string, string>>
  /** Sum, Average, Maximum, Minimum, SampleCount, or a percentile such as p99. */
  readonly statistic: string
}

export interface AlarmProps {
  /** Begins the name of the alarm, which ends with the id of the construct. */
  readonly name: string
  /** What is wrong and what to do, for whoever is woken. */
  readonly description: string
  /** Whether somebody is woken or told. */
  readonly severity: keyof AlarmTopics
  /**
   * Where it is sent.
   * @default nowhere: the alarm shows in the console alone
   */
  readonly topics?: AlarmTopics | undefined
  /** What is watched. */
  readonly metric: Metric
  /** How the metric stands to the threshold while something is wrong. */
  readonly comparison: '>' | '>=' | '<' | '<='
  /** In the unit of the metric. */
  readonly threshold: number
  /**
   * Seconds that are looked at as one.
   * @default 60
   */
  readonly period?: number
  /**
   * Periods that must all be wrong.
   * @default 3
   */
  readonly periods?: number
  /**
   * What a period without data is: `breaching` where silence is the fault.
   * @default 'notBreaching'
   */
  readonly missing?: 'breaching' | 'notBreaching' | 'ignore'
}

const comparisons = {
  '>': 'GreaterThanThreshold',
  '>=': 'GreaterThanOrEqualToThreshold',
  '<': 'LessThanThreshold',
  '<=': 'LessThanOrEqualToThreshold',
} as const

/**
 * An alarm on one metric, which pages or tells.
 *
 * @example
 * new Alarm(stack, 'resets', {
 *   name: 'edge',
 *   description: 'Targets reset connections: look at error.log of the nodes',
 *   severity: 'tell',
 *   metric: {
 *     namespace: 'AWS/NetworkELB',
 *     name: 'TCP_Target_Reset_Count',
 *     dimensions: { LoadBalancer: 'net/edge/0123456789abcdef' },
 *     statistic: 'Sum',
 *   },
 *   comparison: '>',
 *   threshold: 100,
 * })
 */
export class Alarm extends Construct {
  /** Name of the alarm, for composite alarms and instance refreshes. */
  readonly alarmName: string
  readonly arn: string

  constructor(scope: Construct, id: string, props: AlarmProps) {
    super(scope, id)
    const { metric, topics, severity, period = 60, periods = 3 } = props
    const actions = topics ? [topics[severity]] : []
    const alarm = new CloudwatchMetricAlarm(this, 'alarm', {
      alarmName: awsName(255, props.name, id),
      alarmDescription: `${severity === 'page' ? 'PAGE' : 'TELL'}: ${props.description}`,
      namespace: metric.namespace,
      metricName: metric.name,
      dimensions: { ...metric.dimensions },
      ...(/^p\d/.test(metric.statistic)
        ? { extendedStatistic: metric.statistic }
        : { statistic: metric.statistic }),
      comparisonOperator: comparisons[props.comparison],
      threshold: props.threshold,
      period,
      evaluationPeriods: periods,
      datapointsToAlarm: periods,
      treatMissingData: props.missing ?? 'notBreaching',
      actionsEnabled: true,
      alarmActions: actions,
      okActions: actions,
      tags: { Name: awsName(255, props.name, id) },
    })
    this.alarmName = alarm.alarmName
    this.arn = alarm.arn
  }
}
