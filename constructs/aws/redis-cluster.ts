import { ElasticacheReplicationGroup } from '@cdktf/provider-aws/lib/elasticache-replication-group/index.js'
import { ElasticacheSubnetGroup } from '@cdktf/provider-aws/lib/elasticache-subnet-group/index.js'
import { ElasticacheUser } from '@cdktf/provider-aws/lib/elasticache-user/index.js'
import { ElasticacheUserGroup } from '@cdktf/provider-aws/lib/elasticache-user-group/index.js'
import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias/index.js'
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'

/** What other constructs need of a Redis cluster. `RedisCluster` makes one; an existing one fits as well. */
export interface Redis {
  /** Host name of the configuration endpoint. */
  readonly host: string
  /** TCP port. */
  readonly port: number
  /** Security group that nodes must be let into. */
  readonly securityGroupId: string
  /** Resources that a node may `elasticache:Connect` to with its IAM role; empty where that is not used. */
  readonly connectArns: readonly string[]
}

export interface RedisClusterProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and "-". */
  readonly name: string
  /** Nodes stand in its data subnets. */
  readonly network: Network
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
   * Days that daily snapshots are kept, 0 to 35; counters are not worth one.
   * @default 0
   */
  readonly snapshotRetention?: number
}

/**
 * A Redis cluster with failover over the zones, encrypted in transit and, with a key of its own, at rest. Nodes prove
 * themselves by IAM role (user `NAME-node`), so no password exists anywhere; the default user can do nothing.
 * @throws ConstructError when a value is out of range
 */
export class RedisCluster extends Construct implements Redis {
  readonly host: string
  readonly port = 6379
  readonly securityGroupId: string
  readonly connectArns: readonly string[]

  constructor(scope: Construct, id: string, props: RedisClusterProps) {
    super(scope, id)
    const {
      name,
      network,
      nodeType = 'cache.r7g.large',
      shards = 3,
      replicas = 2,
      snapshotRetention = 0,
    } = props
    const inRange = (key: string, value: number, min: number, max: number) =>
      [
        Number.isInteger(value) && value >= min && value <= max,
        `${key}: expected ${min} to ${max}, got ${value}`,
      ] as const
    checkProps(this, [
      [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
      [
        /^cache\.[a-z0-9-]+\.[a-z0-9]+$/.test(nodeType),
        `nodeType: expected such as cache.r7g.large, got ${JSON.stringify(nodeType)}`,
      ],
      inRange('shards', shards, 1, 500),
      inRange('replicas', replicas, 1, 5),
      inRange('snapshotRetention', snapshotRetention, 0, 35),
      [
        network.zones.length >= 2,
        `network: expected two zones or more for failover, got ${network.zones.length}`,
      ],
    ])

    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'redis'),
      description: 'Redis of the gateway',
      vpcId: network.vpcId,
      tags: { Name: `${name}-redis` },
    })
    const subnets = new ElasticacheSubnetGroup(this, 'subnets', {
      name: awsName(64, name, 'redis'),
      subnetIds: network.zones.map((zone) => zone.dataSubnetId),
    })
    const key = createKey(this, name)
    const users = createUsers(this, name)
    const cluster = new ElasticacheReplicationGroup(this, 'cluster', {
      replicationGroupId: awsName(40, name),
      description: 'Counters that the gateway nodes share',
      engine: 'redis',
      engineVersion: '7.1',
      parameterGroupName: 'default.redis7.cluster.on',
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
      snapshotRetentionLimit: snapshotRetention,
      tags: { Name: name },
    })
    this.host = cluster.configurationEndpointAddress
    this.securityGroupId = securityGroup.id
    this.connectArns = [cluster.arn, users.node.arn]
  }
}

function createKey(scope: Construct, name: string): KmsKey {
  const key = new KmsKey(scope, 'key', {
    description: `Redis of ${name}, at rest`,
    enableKeyRotation: true,
    deletionWindowInDays: 30,
  })
  new KmsAlias(scope, 'key-alias', { name: `alias/${name}-redis`, targetKeyId: key.keyId })
  return key
}

/**
 * The user that nodes connect as (with IAM, id and name must be one), and the default user, which Redis demands but
 * which is switched off. Source: ElastiCache User Guide, "Authenticating with IAM".
 */
function createUsers(scope: Construct, name: string) {
  const nodeName = awsName(40, name, 'node')
  const node = new ElasticacheUser(scope, 'node-user', {
    userId: nodeName,
    userName: nodeName,
    engine: 'redis',
    accessString: 'on ~* &* +@all -@admin -@dangerous +cluster|slots +cluster|shards +cluster|nodes +info',
    authenticationMode: { type: 'iam' },
  })
  const nobody = new ElasticacheUser(scope, 'default-user', {
    userId: awsName(40, name, 'default'),
    userName: 'default',
    engine: 'redis',
    accessString: 'off ~* -@all',
    authenticationMode: { type: 'no-password-required' },
  })
  const group = new ElasticacheUserGroup(scope, 'users', {
    userGroupId: awsName(40, name, 'users'),
    engine: 'redis',
    userIds: [nobody.userId, node.userId],
  })
  return { node, group }
}
