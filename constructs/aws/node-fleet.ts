import { AutoscalingGroup } from '@cdktf/provider-aws/lib/autoscaling-group/index.js'
import { AutoscalingPolicy } from '@cdktf/provider-aws/lib/autoscaling-policy/index.js'
import { DataAwsAmi } from '@cdktf/provider-aws/lib/data-aws-ami/index.js'
import { LaunchTemplate } from '@cdktf/provider-aws/lib/launch-template/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import { checkProps, withPath } from '../errors.ts'
import { type HostDescription, renderHostBootstrap, renderUserData } from '../host-bootstrap/index.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import { NodeRole } from './node-role.ts'

/** What other constructs need of a fleet. */
export interface Fleet {
  readonly securityGroupId: string
}

export interface NodeFleetProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /** Nodes stand in its private subnets. */
  readonly network: Network
  /** What a node is to be; becomes the user data. The log device is the volume of this construct. */
  readonly host: Omit<HostDescription, 'logDevice'>
  /** Target groups that nodes register with; their health checks replace a node. */
  readonly targetGroupArns: readonly string[]
  /**
   * EC2 instance type; x86 and Graviton both serve.
   * @default 'c7i.xlarge' 4 vCPU, 8 GiB
   */
  readonly instanceType?: string
  /**
   * Id of the image, such as ami-0123456789abcdef0: Debian 12 or newer.
   * @default the newest Debian 13 for the instance type: a new one rolls through the fleet with the next deployment
   */
  readonly imageId?: string
  /**
   * Fewest nodes, 1 or more.
   * @default 3
   */
  readonly minNodes?: number
  /**
   * Most nodes, at least minNodes.
   * @default 12
   */
  readonly maxNodes?: number
  /**
   * Average CPU that the fleet is kept at, percent, 10 to 90.
   * @default 50
   */
  readonly targetCpu?: number
  /**
   * Size of the log volume, GiB, 1 to 16384.
   * @default 50
   */
  readonly logVolumeSize?: number
  /**
   * Resources that nodes may `elasticache:Connect` to.
   * @default []
   */
  readonly redisConnectArns?: readonly string[]
  /**
   * Tags of instances and volumes; the default tags of the provider do not reach what the group launches.
   * @default {}
   */
  readonly tags?: Readonly<Record<string, string>>
}

/** Account of Debian's cloud team (wiki.debian.org/Cloud/AmazonEC2Image). */
const debianAccount = '136693071363'

/** Whether an instance type is of the Graviton family: c7g, m6gd, im4gn, a1. */
export const isGraviton = (instanceType: string) => /^([a-z]+\d+g|a1\.)/.test(instanceType)

/**
 * Nodes that are launched from one template, spread over the zones, kept in number by load and replaced when they
 * fail. A change of the template rolls through the fleet with no less than nine tenths of it serving.
 * @throws ConstructError when a value is out of range or the user data is larger than 16 KiB
 */
export class NodeFleet extends Construct implements Fleet {
  readonly securityGroupId: string
  readonly autoscalingGroupName: string

  constructor(scope: Construct, id: string, props: NodeFleetProps) {
    super(scope, id)
    checkFleet(this, props)
    const { name, network, minNodes = 3, maxNodes = 12, targetCpu = 50, tags = {} } = props

    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'nodes'),
      description: 'Gateway nodes',
      vpcId: network.vpcId,
      tags: { Name: `${name}-nodes` },
    })
    // A gateway connects to whatever services are configured, wherever they are.
    new VpcSecurityGroupEgressRule(this, 'egress', {
      securityGroupId: securityGroup.id,
      ipProtocol: '-1',
      cidrIpv4: '0.0.0.0/0',
    })
    for (const network of props.host.managementNetworks ?? []) {
      for (const port of [props.host.sshPort ?? 22, 8444]) letIn(this, securityGroup, port, network)
    }
    for (const network of props.host.monitoringNetworks ?? []) letIn(this, securityGroup, 9090, network)
    const template = createTemplate(this, props, securityGroup)
    const group = new AutoscalingGroup(this, 'group', {
      name: awsName(255, name),
      vpcZoneIdentifier: network.zones.map((zone) => zone.privateSubnetId),
      minSize: minNodes,
      maxSize: maxNodes,
      launchTemplate: { id: template.id, version: template.getStringAttribute('latest_version') },
      targetGroupArns: [...props.targetGroupArns],
      healthCheckType: 'ELB',
      healthCheckGracePeriod: 300,
      defaultInstanceWarmup: 120,
      instanceMaintenancePolicy: { minHealthyPercentage: 90, maxHealthyPercentage: 120 },
      instanceRefresh: {
        strategy: 'Rolling',
        preferences: { minHealthyPercentage: 90, maxHealthyPercentage: 120, autoRollback: true },
      },
      tag: Object.entries({ ...tags, Name: name }).map(([key, value]) => ({
        key,
        value,
        propagateAtLaunch: true,
      })),
    })
    new AutoscalingPolicy(this, 'target-cpu', {
      name: awsName(255, name, 'cpu'),
      autoscalingGroupName: group.name,
      policyType: 'TargetTrackingScaling',
      targetTrackingConfiguration: {
        targetValue: targetCpu,
        predefinedMetricSpecification: { predefinedMetricType: 'ASGAverageCPUUtilization' },
      },
    })
    this.securityGroupId = securityGroup.id
    this.autoscalingGroupName = group.name
  }
}

function checkFleet(scope: Construct, props: NodeFleetProps) {
  const { name, instanceType = 'c7i.xlarge', imageId, minNodes = 3, maxNodes = 12, targetCpu = 50 } = props
  const { logVolumeSize = 50 } = props
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [
      /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(instanceType),
      `instanceType: expected such as c7i.xlarge, got ${JSON.stringify(instanceType)}`,
    ],
    [
      imageId === undefined || /^ami-[0-9a-f]{8,17}$/.test(imageId),
      `imageId: expected such as ami-0123456789abcdef0, got ${JSON.stringify(imageId)}`,
    ],
    [Number.isInteger(minNodes) && minNodes >= 1, `minNodes: expected 1 or more, got ${minNodes}`],
    [
      Number.isInteger(maxNodes) && maxNodes >= minNodes,
      `maxNodes: expected ${minNodes} (minNodes) or more, got ${maxNodes}`,
    ],
    [targetCpu >= 10 && targetCpu <= 90, `targetCpu: expected 10 to 90 percent, got ${targetCpu}`],
    [
      Number.isInteger(logVolumeSize) && logVolumeSize >= 1 && logVolumeSize <= 16_384,
      `logVolumeSize: expected 1 to 16384 GiB, got ${logVolumeSize}`,
    ],
  ])
}

function letIn(scope: Construct, securityGroup: SecurityGroup, port: number, network: string) {
  new VpcSecurityGroupIngressRule(scope, `ingress-${port}-${network}`, {
    securityGroupId: securityGroup.id,
    ipProtocol: 'tcp',
    fromPort: port,
    toPort: port,
    ...(network.includes(':') ? { cidrIpv6: network } : { cidrIpv4: network }),
  })
}

function createTemplate(
  scope: Construct,
  props: NodeFleetProps,
  securityGroup: SecurityGroup,
): LaunchTemplate {
  const { name, instanceType = 'c7i.xlarge', logVolumeSize = 50, tags = {} } = props
  const role = new NodeRole(scope, 'role', { name, redisConnectArns: props.redisConnectArns ?? [] })
  const userData = withPath(scope, () =>
    renderUserData(renderHostBootstrap({ ...props.host, logDevice: 'auto' })),
  )
  const encrypted = { encrypted: 'true', volumeType: 'gp3', deleteOnTermination: 'true' }
  return new LaunchTemplate(scope, 'template', {
    name: awsName(128, name),
    updateDefaultVersion: true,
    instanceType,
    imageId: props.imageId ?? newestDebian(scope, isGraviton(instanceType) ? 'arm64' : 'amd64').id,
    userData,
    vpcSecurityGroupIds: [securityGroup.id],
    iamInstanceProfile: { arn: role.instanceProfileArn },
    ebsOptimized: 'true',
    monitoring: { enabled: true },
    // Session tokens only, and none for what runs behind another hop, such as a container.
    metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      { deviceName: '/dev/xvda', ebs: { ...encrypted, volumeSize: 16 } },
      { deviceName: '/dev/sdf', ebs: { ...encrypted, volumeSize: logVolumeSize } },
    ],
    tagSpecifications: ['instance', 'volume', 'network-interface'].map((resourceType) => ({
      resourceType,
      tags: { ...tags, Name: name },
    })),
    tags: { Name: name },
  })
}

const newestDebian = (scope: Construct, architecture: 'amd64' | 'arm64') =>
  new DataAwsAmi(scope, 'image', {
    mostRecent: true,
    owners: [debianAccount],
    filter: [
      { name: 'name', values: [`debian-13-${architecture}-*`] },
      { name: 'virtualization-type', values: ['hvm'] },
    ],
  })
