import { ElasticacheParameterGroup } from '@cdktf/provider-aws/lib/elasticache-parameter-group/index.js'
import { ElasticacheReplicationGroup } from '@cdktf/provider-aws/lib/elasticache-replication-group/index.js'
import { ElasticacheSubnetGroup } from '@cdktf/provider-aws/lib/elasticache-subnet-group/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import type { AlarmTopics } from './alarm.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { createLogGroup, type Retention } from './log-group.ts'
import { isMaintenanceWindow, maintenanceWindowRule } from './maintenance-window.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import { createRedisAlarms } from './redis-alarms.ts'
import { createUsers } from './redis-users.ts'

/** What other constructs need of a Redis cluster. `RedisCluster` makes one; an existing one fits as well. */
export interface Redis {
  /** Host name of the configuration endpoint. */
  readonly host: string
  /** TCP port. */
  readonly port: number
  /** Security group that nodes must be let into. */
  readonly securityGroupId: string
  /** Whom nodes connect as with their IAM role, and the name of the cluster; undefined where that is not used. */
  readonly iamUser?: { readonly name: string; readonly cache: string }
  /** Resources that a node may `elasticache:Connect` to with its IAM role; empty where that is not used. */
  readonly connectArns: readonly string[]
}

export interface RedisClusterProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /** Nodes stand in its data subnets. */
  readonly network: Network
  /**
   * What runs: Valkey, or Redis OSS 7.1, whose licence is BSD as well.
   * @default 'valkey'
   */
  readonly engine?: 'valkey' | 'redis'
  /**
   * ElastiCache node type.
   * @default 'cache.r7g.large'
   */
  readonly nodeType?: string
  /**
   * Shards, 1 to 500: how far writes and memory scale.
   * @default 3
   */
  readonly shards?: number
  /**
   * Replicas of a shard, 1 to 5: how many nodes may fail. Without one there is no failover.
   * @default 2
   */
  readonly replicas?: number
  /**
   * Days that daily snapshots are kept, 1 to 35.
   * @default 7
   */
  readonly snapshotRetention?: number
  /**
   * When AWS may patch it, UTC: an hour or more.
   * @default 'sun:02:00-sun:03:00'
   */
  readonly maintenanceWindow?: string
  /**
   * Encrypts data, snapshots and logs.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Days that slow queries and messages of the engine are kept.
   * @default 365
   */
  readonly logRetention?: Retention
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
}

/** Engine → its version and parameter family (ElastiCache User Guide, "Supported engines and versions"). */
const engines = {
  valkey: { version: '8.0', family: 'valkey8' },
  redis: { version: '7.1', family: 'redis7' },
} as const

/**
 * A Redis cluster with failover over the zones, encrypted in transit and, with a customer key, at rest. Nodes prove
 * themselves by IAM role (user `NAME-node`), so no password exists anywhere; the default user can do nothing. Counters
 * that are not read for long make room for new ones.
 *
 * @example
 * const zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c']
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones })
 * new RedisCluster(stack, 'redis', { name: 'edge', network, shards: 3, replicas: 2 })
 * @throws ConstructError when a value is out of range
 */
export class RedisCluster extends Construct implements Redis {
  readonly host: string
  readonly port = 6379
  readonly securityGroupId: string
  readonly iamUser: { readonly name: string; readonly cache: string }
  readonly connectArns: readonly string[]

  constructor(scope: Construct, id: string, props: RedisClusterProps) {
    super(scope, id)
    checkRedis(this, props)
    const { name, network, engine = 'valkey', nodeType = 'cache.r7g.large', shards = 3, replicas = 2 } = props
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'redis' })
    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'redis'),
      description: 'Redis of the gateway',
      vpcId: network.vpcId,
      tags: { Name: `${name}-redis` },
    })
    const subnets = new ElasticacheSubnetGroup(this, 'subnets', {
      name: awsName(64, name, 'redis'),
      description: 'Data subnets of the gateway',
      subnetIds: network.zones.map((zone) => zone.dataSubnetId),
      tags: { Name: `${name}-redis` },
    })
    const users = createUsers(this, name, engine)
    const cluster = new ElasticacheReplicationGroup(this, 'cluster', {
      replicationGroupId: awsName(40, name),
      description: 'Counters that the gateway nodes share',
      engine,
      engineVersion: engines[engine].version,
      parameterGroupName: createParameters(this, name, engines[engine].family),
      nodeType,
      port: this.port,
      clusterMode: 'enabled',
      numNodeGroups: shards,
      replicasPerNodeGroup: replicas,
      automaticFailoverEnabled: true,
      multiAzEnabled: true,
      atRestEncryptionEnabled: 'true',
      kmsKeyId: key.arn,
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      userGroupIds: [users.group.userGroupId],
      subnetGroupName: subnets.name,
      securityGroupIds: [securityGroup.id],
      autoMinorVersionUpgrade: 'true',
      maintenanceWindow: props.maintenanceWindow ?? 'sun:02:00-sun:03:00',
      snapshotWindow: '00:30-01:30',
      snapshotRetentionLimit: props.snapshotRetention ?? 7,
      logDeliveryConfiguration: ['slow-log', 'engine-log'].map((logType) => ({
        logType,
        logFormat: 'json',
        destinationType: 'cloudwatch-logs',
        destination: createLogGroup(this, logType, {
          logGroupName: `/gatehouse/${name}/redis/${logType}`,
          key,
          retention: props.logRetention ?? 365,
        }).name,
      })),
      tags: { Name: name },
    })
    createRedisAlarms(this, { name, shards, replicas, topics: props.alarmTopics })
    this.host = cluster.configurationEndpointAddress
    this.securityGroupId = securityGroup.id
    this.iamUser = { name: awsName(40, name, 'node'), cache: awsName(40, name) }
    this.connectArns = [cluster.arn, users.node.arn]
  }
}

function checkRedis(scope: Construct, props: RedisClusterProps) {
  const { name, network, nodeType = 'cache.r7g.large', maintenanceWindow = 'sun:02:00-sun:03:00' } = props
  const inRange = (key: string, value: number, min: number, max: number) =>
    [
      Number.isInteger(value) && value >= min && value <= max,
      `${key}: expected ${min} to ${max}, got ${value}`,
    ] as const
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [
      /^cache\.[a-z0-9-]+\.[a-z0-9]+$/.test(nodeType),
      `nodeType: expected such as cache.r7g.large, got ${JSON.stringify(nodeType)}`,
    ],
    inRange('shards', props.shards ?? 3, 1, 500),
    inRange('replicas', props.replicas ?? 2, 1, 5),
    inRange('snapshotRetention', props.snapshotRetention ?? 7, 1, 35),
    [
      isMaintenanceWindow(maintenanceWindow),
      `maintenanceWindow: ${maintenanceWindowRule}, got ${JSON.stringify(maintenanceWindow)}`,
    ],
    [
      network.zones.length >= 2,
      `network: expected two zones or more for failover, got ${network.zones.length}`,
    ],
  ])
}

/** A group of its own, since those of AWS cannot be changed later without another group. */
function createParameters(scope: Construct, name: string, family: string): string {
  return new ElasticacheParameterGroup(scope, 'parameters', {
    name: awsName(255, name, family),
    family,
    description: 'Redis of the gateway',
    parameter: [
      { name: 'cluster-enabled', value: 'yes' },
      { name: 'maxmemory-policy', value: 'volatile-lru' },
      { name: 'timeout', value: '300' },
    ],
    tags: { Name: name },
    lifecycle: { createBeforeDestroy: true },
  }).name
}
