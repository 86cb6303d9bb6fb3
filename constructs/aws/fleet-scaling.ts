import { AutoscalingPolicy } from '@cdktf/provider-aws/lib/autoscaling-policy/index.js'
import type { Construct } from 'constructs'
import { awsName } from './names.ts'
import type { NodeFleetProps } from './node-fleet-props.ts'

/** The namespace of the metrics that follow from a gateway's logs, and that its nodes send. */
export const metricNamespace = (name: string) => `Gatehouse/${name}`

/** Keeps a fleet at its target CPU and requests; the policy that wants more nodes wins. */
export function createScaling(scope: Construct, groupName: string, props: NodeFleetProps) {
  const { name, gateway = name, targetCpu = 50, targetRequests = 300_000 } = props
  new AutoscalingPolicy(scope, 'target-cpu', {
    name: awsName(255, name, 'cpu'),
    autoscalingGroupName: groupName,
    policyType: 'TargetTrackingScaling',
    targetTrackingConfiguration: {
      targetValue: targetCpu,
      predefinedMetricSpecification: { predefinedMetricType: 'ASGAverageCPUUtilization' },
    },
  })
  new AutoscalingPolicy(scope, 'target-requests', {
    name: awsName(255, name, 'requests'),
    autoscalingGroupName: groupName,
    policyType: 'TargetTrackingScaling',
    targetTrackingConfiguration: {
      targetValue: targetRequests,
      customizedMetricSpecification: {
        metrics: [
          {
            id: 'requests',
            returnData: false,
            metricStat: {
              metric: { namespace: metricNamespace(gateway), metricName: 'Requests' },
              stat: 'Sum',
            },
          },
          {
            id: 'nodes',
            returnData: false,
            metricStat: {
              metric: {
                namespace: 'AWS/AutoScaling',
                metricName: 'GroupInServiceInstances',
                dimensions: [{ name: 'AutoScalingGroupName', value: groupName }],
              },
              stat: 'Average',
            },
          },
          {
            id: 'each',
            label: 'Requests a node and minute',
            expression: 'requests / nodes',
            returnData: true,
          },
        ],
      },
    },
  })
}
