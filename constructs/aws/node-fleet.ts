import { AutoscalingGroup } from '@cdktf/provider-aws/lib/autoscaling-group/index.js'
import { AutoscalingLifecycleHook } from '@cdktf/provider-aws/lib/autoscaling-lifecycle-hook/index.js'
import { IamServiceLinkedRole } from '@cdktf/provider-aws/lib/iam-service-linked-role/index.js'
import { KmsGrant } from '@cdktf/provider-aws/lib/kms-grant/index.js'
import type { LaunchTemplate } from '@cdktf/provider-aws/lib/launch-template/index.js'
import { Construct } from 'constructs'
import { ConstructError } from '../errors.ts'
import { lifecycleHooks } from '../host-bootstrap/index.ts'
import { accountOf } from './account.ts'
import { Alarm } from './alarm.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { checkFleet } from './fleet-rules.ts'
import { createScaling, metricNamespace } from './fleet-scaling.ts'
import { LogVolume } from './log-volume.ts'
import { awsName } from './names.ts'
import { createNodeFirewall } from './node-firewall.ts'
import { defaultInstanceTypes, type NodeFleetProps } from './node-fleet-props.ts'
import { NodeRole } from './node-role.ts'
import { createTemplate } from './node-template.ts'
import type { Statement } from './policy.ts'

export type { NodeFleetProps } from './node-fleet-props.ts'

/** What other constructs need of a fleet. */
export interface Fleet {
  readonly securityGroupId: string
  /** Name of the auto scaling group; undefined where there is none. */
  readonly autoscalingGroupName?: string | undefined
}

/**
 * Nodes that are launched from one template, spread over the zones, kept in number by CPU and requests, and replaced
 * when they fail. A node joins once it is ready, and drains before it leaves. A change of the template rolls through
 * the fleet in three steps with no less than nine tenths of it serving, and back again when an alarm goes off.
 *
 * @example
 * const zones = ['eu-central-1a', 'eu-central-1b']
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones })
 * new NodeFleet(stack, 'fleet', {
 *   name: 'edge',
 *   network,
 *   targetGroupArns: [],
 *   host: { configuration: { 'config.yaml': 'workers: auto' } },
 *   instanceTypes: ['c7gd.xlarge', 'c6gd.xlarge'],
 * })
 * @throws ConstructError when a value is out of range or the user data is larger than 16 KiB
 */
export class NodeFleet extends Construct implements Fleet {
  readonly securityGroupId: string
  readonly autoscalingGroupName: string

  constructor(scope: Construct, id: string, props: NodeFleetProps) {
    super(scope, id)
    checkFleet(this, props)
    this.#checkWarmPool(props)
    const { name, alarmTopics: topics } = props
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'nodes' })
    const role = new NodeRole(this, 'role', { name, statements: nodeStatements(this, props) })
    const securityGroup = createNodeFirewall(this, props)
    const template = createTemplate(this, props, {
      key,
      instanceProfileArn: role.instanceProfileArn,
      securityGroupId: securityGroup.id,
    })
    const group = createGroup(this, props, { template, key, role })
    createScaling(this, group.name, props)
    new Alarm(this, 'no-room', {
      name,
      topics,
      severity: 'tell',
      description: `${name} has had as many nodes as it may have for a quarter of an hour: raise maxNodes, or find out why so many are needed`,
      metric: {
        namespace: 'AWS/AutoScaling',
        name: 'GroupInServiceInstances',
        dimensions: { AutoScalingGroupName: group.name },
        statistic: 'Minimum',
      },
      comparison: '>=',
      threshold: props.maxNodes ?? 12,
      periods: 15,
    })
    this.securityGroupId = securityGroup.id
    this.autoscalingGroupName = group.name
  }

  #checkWarmPool({ warmPool, logVolume, instanceTypes = defaultInstanceTypes }: NodeFleetProps) {
    if (!warmPool || (logVolume ?? LogVolume.for(instanceTypes)).survivesStop) return
    throw new ConstructError(this, [
      'warmPool: expected LogVolume.gp3() with it: a stopped instance loses its own disks',
    ])
  }
}

/** What a node needs to follow its configuration, to complete its hooks and to be seen. */
function nodeStatements(
  scope: Construct,
  { name, gateway = name, configSource, statements = [] }: NodeFleetProps,
): Statement[] {
  const { id, partition, region } = accountOf(scope)
  const group = awsName(255, name)
  return [
    {
      sid: 'CompleteLifecycle',
      actions: ['autoscaling:CompleteLifecycleAction'],
      resources: [
        `arn:${partition}:autoscaling:${region}:${id}:autoScalingGroup:*:autoScalingGroupName/${group}`,
      ],
      wildcardReason: 'the id of a group is made by AWS; its name says which one it is',
    },
    {
      sid: 'SendMetrics',
      actions: ['cloudwatch:PutMetricData'],
      resources: ['*'],
      conditions: { StringEquals: { 'cloudwatch:namespace': metricNamespace(gateway) } },
      wildcardReason: 'this action knows no resources; the condition keeps it to one namespace',
    },
    ...(configSource?.statements ?? []),
    ...statements,
  ]
}

interface GroupParts {
  readonly template: LaunchTemplate
  readonly key: Key
  readonly role: NodeRole
}

function createGroup(scope: Construct, props: NodeFleetProps, { template, key, role }: GroupParts) {
  const { name, network, instanceTypes = defaultInstanceTypes, warmPool } = props
  const { minNodes = 3, maxNodes = 12, tags = {}, spotPercent = 0, drainTimeout = 120 } = props
  const { serviceRole, grant } = allowVolumes(scope, name, key)
  const launched = { launchTemplateId: template.id, version: template.getStringAttribute('latest_version') }
  const group = new AutoscalingGroup(scope, 'group', {
    name: awsName(255, name),
    vpcZoneIdentifier: network.zones.map((zone) => zone.privateSubnetId),
    minSize: minNodes,
    maxSize: maxNodes,
    serviceLinkedRoleArn: serviceRole.arn,
    mixedInstancesPolicy: {
      instancesDistribution: {
        onDemandAllocationStrategy: 'prioritized',
        onDemandPercentageAboveBaseCapacity: 100 - spotPercent,
        spotAllocationStrategy: 'price-capacity-optimized',
      },
      launchTemplate: {
        launchTemplateSpecification: launched,
        override: instanceTypes.map((instanceType) => ({ instanceType })),
      },
    },
    capacityRebalance: spotPercent > 0,
    targetGroupArns: [...props.targetGroupArns],
    healthCheckType: 'ELB',
    healthCheckGracePeriod: 300,
    defaultInstanceWarmup: 120,
    waitForCapacityTimeout: '20m',
    enabledMetrics: [
      'GroupDesiredCapacity',
      'GroupInServiceInstances',
      'GroupPendingInstances',
      'GroupTerminatingInstances',
    ],
    instanceMaintenancePolicy: { minHealthyPercentage: 90, maxHealthyPercentage: 120 },
    instanceRefresh: instanceRefresh(props.rollbackAlarms ?? []),
    // There from the first instance on, unlike a hook that is made after the group.
    initialLifecycleHook: [
      {
        name: lifecycleHooks.launch,
        lifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
        defaultResult: 'ABANDON',
        heartbeatTimeout: 900,
      },
    ],
    ...(warmPool && {
      warmPool: {
        poolState: 'Stopped',
        minSize: warmPool.minSize,
        ...(warmPool.maxPrepared !== undefined && { maxGroupPreparedCapacity: warmPool.maxPrepared }),
        instanceReusePolicy: { reuseOnScaleIn: false },
      },
    }),
    tag: Object.entries({ ...tags, Name: name }).map(([key, value]) => ({
      key,
      value,
      propagateAtLaunch: true,
    })),
    dependsOn: [grant, role.policy],
  })
  new AutoscalingLifecycleHook(scope, 'terminate-hook', {
    name: lifecycleHooks.terminate,
    autoscalingGroupName: group.name,
    lifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    defaultResult: 'CONTINUE',
    heartbeatTimeout: drainTimeout,
  })
  return group
}

/** In three steps with a look between them; nodes that are right already stay. */
const instanceRefresh = (rollbackAlarms: readonly string[]) => ({
  strategy: 'Rolling',
  preferences: {
    minHealthyPercentage: 90,
    maxHealthyPercentage: 120,
    instanceWarmup: '120',
    skipMatching: true,
    autoRollback: true,
    checkpointPercentages: [20, 50, 100],
    checkpointDelay: '300',
    ...(rollbackAlarms.length > 0 && { alarmSpecification: { alarms: [...rollbackAlarms] } }),
  },
})

/**
 * A role of EC2 Auto Scaling for this group alone, and the grant by which it launches encrypted volumes. Source: EC2
 * Auto Scaling User Guide, "Required AWS KMS key policy for use with encrypted volumes".
 */
function allowVolumes(scope: Construct, name: string, key: Key) {
  const serviceRole = new IamServiceLinkedRole(scope, 'service-role', {
    awsServiceName: 'autoscaling.amazonaws.com',
    customSuffix: awsName(35, name),
    description: `Launches the nodes of ${name}`,
    tags: { Name: name },
  })
  const grant = new KmsGrant(scope, 'volumes', {
    name: awsName(256, name, 'volumes'),
    keyId: key.arn,
    granteePrincipal: serviceRole.arn,
    operations: [
      'CreateGrant',
      'Decrypt',
      'DescribeKey',
      'Encrypt',
      'GenerateDataKey',
      'GenerateDataKeyWithoutPlaintext',
      'ReEncryptFrom',
      'ReEncryptTo',
    ],
  })
  return { serviceRole, grant }
}
