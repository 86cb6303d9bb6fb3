import { DbInstance } from '@cdktf/provider-aws/lib/db-instance/index.js'
import { DbParameterGroup } from '@cdktf/provider-aws/lib/db-parameter-group/index.js'
import { DbSubnetGroup } from '@cdktf/provider-aws/lib/db-subnet-group/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { Construct } from 'constructs'
import { checkProps } from '../errors.ts'
import { accountOf } from './account.ts'
import type { AlarmTopics } from './alarm.ts'
import { createDatabaseAlarms } from './database-alarms.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { createLogGroup, type Retention } from './log-group.ts'
import { isMaintenanceWindow, maintenanceWindowRule } from './maintenance-window.ts'
import { awsName, baseNameRule, isBaseName } from './names.ts'
import type { Network } from './network.ts'
import { trustService } from './policy.ts'

/** What other constructs need of a configuration database. */
export interface Database {
  readonly host: string
  readonly port: number
  /** Name of the database. */
  readonly database: string
  readonly securityGroupId: string
  /** Resources that a node may `rds-db:connect` to with its IAM role: a database user; empty where that is not used. */
  readonly connectArns: readonly string[]
}

export interface ConfigDatabaseProps {
  /** Begins the names of all resources; 1 to 40 lower-case letters, digits and single "-", a letter first. */
  readonly name: string
  /** Stands in its data subnets; two zones or more. */
  readonly network: Network
  /**
   * Class of the instance.
   * @default 'db.m7g.large'
   */
  readonly instanceClass?: string
  /**
   * Size of the gp3 storage, GiB, 400 to 65536; it grows to twice that by itself.
   * @default 400 the least that has more than 3000 operations a second
   */
  readonly storage?: number
  /**
   * Input and output operations a second, 12000 to 64000 (RDS User Guide, "gp3 storage": from 400 GiB on, 12000 are
   * included).
   * @default 12000
   */
  readonly iops?: number
  /**
   * User of the database that nodes connect as, with their IAM role; made by `gateway` itself or by hand:
   * `CREATE USER gateway; GRANT rds_iam TO gateway`.
   * @default 'gateway'
   */
  readonly user?: string
  /**
   * Days that backups are kept, with every minute of them, 7 to 35.
   * @default 14
   */
  readonly backupRetention?: number
  /**
   * When AWS may patch it, UTC: an hour or more.
   * @default 'sun:03:00-sun:04:00'
   */
  readonly maintenanceWindow?: string
  /**
   * Whether AWS refuses to delete it.
   * @default true
   */
  readonly deletionProtection?: boolean
  /**
   * Encrypts data, backups, logs and the secret of the master user.
   * @default a new `EncryptionKey`
   */
  readonly key?: Key
  /**
   * Days that logs are kept.
   * @default 365
   */
  readonly logRetention?: Retention
  /**
   * Where alarms go.
   * @default nowhere
   */
  readonly alarmTopics?: AlarmTopics | undefined
}

/** Postgres 17, with its parameter family (RDS release notes). */
const engine = { version: '17', family: 'postgres17' }

/**
 * Postgres on RDS with a standby in another zone. Nodes connect over TLS with a token of their IAM role; the password
 * of the master user is made, kept and changed every week by RDS in Secrets Manager, and no one else ever has it.
 *
 * @example
 * const zones = ['eu-central-1a', 'eu-central-1b']
 * const network = new GatewayNetwork(stack, 'network', { name: 'edge', cidr: '10.20.0.0/16', zones })
 * new ConfigDatabase(stack, 'database', { name: 'edge', network })
 * @throws ConstructError when a value is out of range
 */
export class ConfigDatabase extends Construct implements Database {
  readonly host: string
  readonly port = 5432
  readonly database = 'gateway'
  readonly securityGroupId: string
  readonly connectArns: readonly string[]

  constructor(scope: Construct, id: string, props: ConfigDatabaseProps) {
    super(scope, id)
    checkDatabase(this, props)
    const { name, network, storage = 400, user = 'gateway', deletionProtection = true } = props
    const key = props.key ?? new EncryptionKey(this, 'key', { name, purpose: 'database' })
    const identifier = awsName(63, name)
    const securityGroup = new SecurityGroup(this, 'security-group', {
      name: awsName(64, name, 'database'),
      description: 'Configuration database of the gateway',
      vpcId: network.vpcId,
      tags: { Name: `${name}-database` },
    })
    const logs = ['postgresql', 'upgrade'].map((log) =>
      createLogGroup(this, `${log}-log`, {
        logGroupName: `/aws/rds/instance/${identifier}/${log}`,
        key,
        retention: props.logRetention ?? 365,
      }),
    )
    const instance = new DbInstance(this, 'instance', {
      identifier,
      engine: 'postgres',
      engineVersion: engine.version,
      instanceClass: props.instanceClass ?? 'db.m7g.large',
      dbName: this.database,
      port: this.port,
      storageType: 'gp3',
      allocatedStorage: storage,
      maxAllocatedStorage: storage * 2,
      iops: props.iops ?? 12_000,
      storageEncrypted: true,
      kmsKeyId: key.arn,
      username: 'gateway_admin',
      manageMasterUserPassword: true,
      masterUserSecretKmsKeyId: key.arn,
      iamDatabaseAuthenticationEnabled: true,
      caCertIdentifier: 'rds-ca-rsa2048-g1',
      multiAz: true,
      publiclyAccessible: false,
      dbSubnetGroupName: createSubnets(this, name, network),
      vpcSecurityGroupIds: [securityGroup.id],
      parameterGroupName: createParameters(this, name),
      autoMinorVersionUpgrade: true,
      maintenanceWindow: props.maintenanceWindow ?? 'sun:03:00-sun:04:00',
      backupWindow: '00:30-01:30',
      backupRetentionPeriod: props.backupRetention ?? 14,
      copyTagsToSnapshot: true,
      deleteAutomatedBackups: false,
      deletionProtection,
      skipFinalSnapshot: false,
      finalSnapshotIdentifier: awsName(255, name, 'final'),
      enabledCloudwatchLogsExports: ['postgresql', 'upgrade'],
      monitoringInterval: 60,
      monitoringRoleArn: createMonitoringRole(this, name),
      performanceInsightsEnabled: true,
      performanceInsightsKmsKeyId: key.arn,
      tags: { Name: identifier },
      dependsOn: logs,
      ...(deletionProtection && { lifecycle: { preventDestroy: true } }),
    })
    createDatabaseAlarms(this, { name, identifier, storage, topics: props.alarmTopics })
    const { id: account, partition, region } = accountOf(this)
    this.host = instance.address
    this.securityGroupId = securityGroup.id
    this.connectArns = [`arn:${partition}:rds-db:${region}:${account}:dbuser:${instance.resourceId}/${user}`]
  }
}

function checkDatabase(scope: Construct, props: ConfigDatabaseProps) {
  const { name, network, instanceClass = 'db.m7g.large', user = 'gateway' } = props
  const { maintenanceWindow = 'sun:03:00-sun:04:00' } = props
  const inRange = (key: string, value: number, min: number, max: number) =>
    [
      Number.isInteger(value) && value >= min && value <= max,
      `${key}: expected ${min} to ${max}, got ${value}`,
    ] as const
  checkProps(scope, [
    [isBaseName(name), `name: ${baseNameRule}, got ${JSON.stringify(name)}`],
    [
      /^db\.[a-z0-9-]+\.[a-z0-9]+$/.test(instanceClass),
      `instanceClass: expected such as db.m7g.large, got ${JSON.stringify(instanceClass)}`,
    ],
    [/^[a-z_][a-z0-9_]{0,62}$/.test(user), `user: expected such as gateway, got ${JSON.stringify(user)}`],
    inRange('storage', props.storage ?? 400, 400, 65_536),
    inRange('iops', props.iops ?? 12_000, 12_000, 64_000),
    inRange('backupRetention', props.backupRetention ?? 14, 7, 35),
    [
      isMaintenanceWindow(maintenanceWindow),
      `maintenanceWindow: ${maintenanceWindowRule}, got ${JSON.stringify(maintenanceWindow)}`,
    ],
    [
      network.zones.length >= 2,
      `network: expected two zones or more for a standby, got ${network.zones.length}`,
    ],
  ])
}

const createSubnets = (scope: Construct, name: string, network: Network): string =>
  new DbSubnetGroup(scope, 'subnets', {
    name: awsName(255, name, 'database'),
    description: 'Data subnets of the gateway',
    subnetIds: network.zones.map((zone) => zone.dataSubnetId),
    tags: { Name: `${name}-database` },
  }).name

/** TLS only, and slow statements, connections and their ends are logged. */
const createParameters = (scope: Construct, name: string): string =>
  new DbParameterGroup(scope, 'parameters', {
    name: awsName(255, name, engine.family),
    family: engine.family,
    description: 'Configuration database of the gateway',
    parameter: [
      { name: 'rds.force_ssl', value: '1' },
      { name: 'log_connections', value: '1' },
      { name: 'log_disconnections', value: '1' },
      { name: 'log_min_duration_statement', value: '500' },
      { name: 'log_statement', value: 'ddl' },
    ],
    tags: { Name: name },
    lifecycle: { createBeforeDestroy: true },
  }).name

function createMonitoringRole(scope: Construct, name: string): string {
  const { id, partition } = accountOf(scope)
  const role = new IamRole(scope, 'monitoring-role', {
    name: awsName(64, name, 'database-monitoring'),
    description: 'RDS writes the metrics of the operating system',
    assumeRolePolicy: trustService('monitoring.rds.amazonaws.com', {
      StringEquals: { 'aws:SourceAccount': id },
    }),
    tags: { Name: awsName(64, name, 'database-monitoring') },
  })
  new IamRolePolicyAttachment(scope, 'monitoring', {
    role: role.name,
    policyArn: `arn:${partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole`,
  })
  return role.arn
}
