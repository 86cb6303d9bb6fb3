import { CloudwatchDashboard } from '@cdktf/provider-aws/lib/cloudwatch-dashboard/index.js'
import { Construct } from 'constructs'
import { accountOf } from './account.ts'
import { metricNamespace } from './fleet-scaling.ts'
import { awsName } from './names.ts'

export interface DashboardProps {
  /** Name of the gateway, and of the dashboard. */
  readonly name: string
  /**
   * How CloudWatch calls the load balancer: `net/NAME/ID`.
   * @default connections are not shown
   */
  readonly loadBalancer?: string | undefined
  /** Names of the auto scaling groups. */
  readonly groups: readonly string[]
}

type MetricLine = readonly [namespace: string, name: string, ...rest: readonly (string | object)[]]

/**
 * One page on which a gateway is seen: traffic, errors, latency, saturation, limits and circuits, certificates.
 *
 * @example
 * new Dashboard(stack, 'dashboard', { name: 'edge', groups: ['edge'] })
 */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, { name, loadBalancer, groups }: DashboardProps) {
    super(scope, id)
    const namespace = metricNamespace(name)
    const { region } = accountOf(this)
    const own = (metric: string, stat: string, label: string): MetricLine => [
      namespace,
      metric,
      { stat, label },
    ]
    const widgets = [
      ['Requests a minute', [own('Requests', 'Sum', 'all'), own('Limited', 'Sum', '429: limited')]],
      ['Errors a minute', [own('ServerErrors', 'Sum', '500 and above'), own('CircuitsOpen', 'Sum', '503')]],
      [
        'Duration, seconds',
        [
          own('Duration', 'p50', 'half'),
          own('Duration', 'p99', '99 of 100'),
          own('GatewayDuration', 'p99', 'the gateway itself, 99 of 100'),
        ],
      ],
      [
        'CPU of nodes, percent',
        groups.map(
          (group): MetricLine => [
            'AWS/EC2',
            'CPUUtilization',
            'AutoScalingGroupName',
            group,
            { stat: 'Average', label: group },
          ],
        ),
      ],
      [
        'Nodes in service',
        groups.map(
          (group): MetricLine => [
            'AWS/AutoScaling',
            'GroupInServiceInstances',
            'AutoScalingGroupName',
            group,
            { stat: 'Average', label: group },
          ],
        ),
      ],
      [
        'Connections',
        loadBalancer === undefined
          ? []
          : ['ActiveFlowCount', 'NewFlowCount'].map(
              (metric): MetricLine => [
                'AWS/NetworkELB',
                metric,
                'LoadBalancer',
                loadBalancer,
                { stat: metric === 'NewFlowCount' ? 'Sum' : 'Average', label: metric },
              ],
            ),
      ],
      ['Days until a certificate ends', [own('CertificateDaysLeft', 'Minimum', 'the first')]],
    ] as const
    const shown = widgets.filter(([, metrics]) => metrics.length > 0)
    new CloudwatchDashboard(this, 'dashboard', {
      dashboardName: awsName(255, name),
      dashboardBody: JSON.stringify({
        widgets: shown.map(([title, metrics], index) => ({
          type: 'metric',
          x: (index % 2) * 12,
          y: Math.floor(index / 2) * 6,
          width: 12,
          height: 6,
          properties: { title, region, metrics, period: 60, view: 'timeSeries' },
        })),
      }),
    })
  }
}
