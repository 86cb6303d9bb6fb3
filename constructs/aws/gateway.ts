import { Aspects } from 'cdktf'
import { Construct } from 'constructs'
import { accountOf } from './account.ts'
import type { AlarmTopics } from './alarm.ts'
import { Alerts } from './alerts.ts'
import { PermissionsBoundary, TagAll } from './aspects.ts'
import { Budget } from './budget.ts'
import { Certificates } from './certificates.ts'
import { ConfigBucket, type ConfigSource } from './config-bucket.ts'
import { ConfigDatabase, type Database } from './config-database.ts'
import { Dashboard } from './dashboard.ts'
import { GatewayDns } from './dns.ts'
import { EncryptionKey, type Key } from './encryption-key.ts'
import { AllowedTraffic } from './firewall.ts'
import { GatewayImage } from './gateway-image.ts'
import type { GatewayOutputs, GatewayProps } from './gateway-props.ts'
import { architectureOf } from './instance-type.ts'
import { type Balancer, LoadBalancer } from './load-balancer.ts'
import { awsName } from './names.ts'
import { GatewayNetwork, type Network } from './network.ts'
import { type Fleet, NodeFleet, type NodeFleetProps } from './node-fleet.ts'
import { defaultInstanceTypes } from './node-fleet-props.ts'
import { certificateTemplate, redisTemplate } from './node-settings.ts'
import { Observability } from './observability.ts'
import type { Statement } from './policy.ts'
import { type Redis, RedisCluster } from './redis-cluster.ts'
import { VirtualIp, type ZoneAddresses } from './virtual-ip.ts'
import { nodeEndpointServices } from './vpc-endpoints.ts'

/**
 * A whole gateway on AWS: key, alerts, network, virtual IPs, load balancer, Redis, configuration, DNS, certificates,
 * logs and alarms, nodes and a dashboard; a database, an image and a budget where they are asked for. Each part can be
 * given as a prop, or made otherwise by a subclass that overrides the method which makes it.
 *
 * @example
 * const gateway = new Gateway(stack, 'gateway', {
 *   name: 'edge',
 *   zones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
 *   configuration: { 'config.yaml': 'workers: auto' },
 *   dnsZone: 'example.com',
 *   domains: ['api.example.com'],
 *   parts: { redis: { shards: 1 }, fleet: { minNodes: 2 } },
 * })
 * new TerraformOutput(stack, 'addresses', { value: gateway.outputs.virtualIps })
 * @throws ConstructError, from the part whose props are wrong
 */
export class Gateway extends Construct {
  readonly key: Key
  readonly alarmTopics: AlarmTopics
  readonly network: Network
  readonly virtualIp: ZoneAddresses
  readonly loadBalancer: Balancer
  readonly redis: Redis
  readonly database: Database | undefined
  readonly configSource: ConfigSource
  readonly dns: GatewayDns
  readonly certificates: Certificates
  readonly observability: Observability
  readonly fleet: Fleet
  readonly greenFleet: Fleet | undefined

  constructor(scope: Construct, id: string, props: GatewayProps) {
    super(scope, id)
    const { name, parts = {} } = props
    this.key = props.key ?? new EncryptionKey(this, 'key', { name })
    this.alarmTopics = props.alarmTopics ?? this.createAlerts(props)
    this.network = props.network ?? this.createNetwork(props)
    this.virtualIp = props.virtualIp ?? this.createVirtualIp(props)
    this.loadBalancer = props.loadBalancer ?? this.createLoadBalancer(props)
    this.redis = props.redis ?? this.createRedis(props)
    this.database = props.database ?? (parts.database && this.createDatabase(props))
    this.configSource = props.configSource ?? this.createConfigSource(props)
    this.dns = this.createDns(props)
    this.certificates = this.createCertificates(props)
    this.observability = this.createObservability(props)
    const imageId = parts.image && this.createImage(props).imageId
    const settings = this.#fleetProps(props, imageId)
    this.fleet = props.fleet ?? this.createFleet(settings)
    this.greenFleet = props.green && this.createGreenFleet({ ...settings, ...props.green })
    this.#connect(this.fleet, '', props)
    if (this.greenFleet) this.#connect(this.greenFleet, 'green-', props)
    this.createDashboard(props)
    if (parts.budget) {
      new Budget(this, 'budget', { name, alarmTopics: this.alarmTopics, ...parts.budget })
    }
    Aspects.of(this).add(new TagAll(props.tags ?? {}))
    if (props.permissionsBoundary) Aspects.of(this).add(new PermissionsBoundary(props.permissionsBoundary))
  }

  get outputs(): GatewayOutputs {
    return {
      virtualIps: this.virtualIp.addresses,
      loadBalancer: this.loadBalancer.dnsName,
      redis: `${this.redis.host}:${this.redis.port}`,
      configuration: `s3://${this.configSource.bucket}/${this.configSource.manifestKey}`,
      alarmTopics: this.alarmTopics,
      nodeSecurityGroup: this.fleet.securityGroupId,
    }
  }

  protected createAlerts({ name, parts }: GatewayProps): AlarmTopics {
    return new Alerts(this, 'alerts', { name, key: this.key, ...parts?.alerts })
  }

  protected createNetwork({ name, zones, cidr = '10.0.0.0/16', parts }: GatewayProps): Network {
    return new GatewayNetwork(this, 'network', {
      name,
      zones,
      cidr,
      key: this.key,
      endpoints: nodeEndpointServices,
      ...parts?.network,
    })
  }

  protected createVirtualIp({ name, deletionProtection = true }: GatewayProps): ZoneAddresses {
    const zones = this.network.zones.map((zone) => zone.name)
    return new VirtualIp(this, 'virtual-ip', { name, zones, keep: deletionProtection })
  }

  protected createLoadBalancer(props: GatewayProps): Balancer {
    const { name, ingressPorts = [80, 443], deletionProtection = true, green, parts } = props
    return new LoadBalancer(this, 'load-balancer', {
      name,
      network: this.network,
      virtualIp: this.virtualIp,
      ports: ingressPorts,
      deletionProtection,
      greenPercent: green?.percent,
      key: this.key,
      alarmTopics: this.alarmTopics,
      ...parts?.loadBalancer,
    })
  }

  protected createRedis({ name, parts }: GatewayProps): Redis {
    const { network, key, alarmTopics } = this
    return new RedisCluster(this, 'redis', { name, network, key, alarmTopics, ...parts?.redis })
  }

  protected createDatabase({ name, deletionProtection = true, parts }: GatewayProps): Database {
    const { network, key, alarmTopics } = this
    return new ConfigDatabase(this, 'database', {
      name,
      network,
      key,
      alarmTopics,
      deletionProtection,
      ...parts?.database,
    })
  }

  protected createConfigSource({ name, configuration, certificates, parts }: GatewayProps): ConfigSource {
    return new ConfigBucket(this, 'configuration', {
      name,
      files: configuration,
      templates: {
        ...redisTemplate(this.redis, accountOf(this).region, configuration),
        ...(certificates === 'acme' &&
          certificateTemplate(parts?.certificates?.key ?? this.key, configuration)),
      },
      key: this.key,
    })
  }

  protected createDns({ dnsZone, domains, parts }: GatewayProps): GatewayDns {
    return new GatewayDns(this, 'dns', {
      zone: dnsZone,
      domains,
      target: this.loadBalancer,
      ...(parts?.dns?.routing && { checkedAddresses: this.virtualIp.addresses }),
      ...parts?.dns,
    })
  }

  protected createCertificates({
    name,
    domains,
    certificates = 'secrets',
    parts,
  }: GatewayProps): Certificates {
    return new Certificates(this, 'certificates', {
      name,
      domains,
      key: this.key,
      zoneArn: this.dns.zoneArn,
      acme: certificates === 'acme',
      alarmTopics: this.alarmTopics,
      ...parts?.certificates,
    })
  }

  protected createObservability({ name, parts }: GatewayProps): Observability {
    const { key, alarmTopics } = this
    return new Observability(this, 'observability', { name, key, alarmTopics, ...parts?.observability })
  }

  protected createImage({ name, parts }: GatewayProps): GatewayImage {
    const { packagePath = '', ...image } = parts?.image ?? {}
    const architecture = architectureOf((parts?.fleet?.instanceTypes ?? defaultInstanceTypes)[0] ?? '')
    return new GatewayImage(this, 'image', {
      name,
      network: this.network,
      key: this.key,
      architecture,
      packagePath,
      ...image,
    })
  }

  /** @param props those of the fleet, complete */
  protected createFleet(props: NodeFleetProps): Fleet {
    return new NodeFleet(this, 'fleet', props)
  }

  /** @param props those of the first fleet, and what differs */
  protected createGreenFleet(props: NodeFleetProps): Fleet {
    return new NodeFleet(this, 'green-fleet', {
      ...props,
      name: awsName(40, props.name, 'green'),
      targetGroupArns: this.loadBalancer.greenTargetGroupArns,
    })
  }

  protected createDashboard({ name }: GatewayProps) {
    const groups = [this.fleet, this.greenFleet].flatMap((fleet) => fleet?.autoscalingGroupName ?? [])
    new Dashboard(this, 'dashboard', { name, loadBalancer: this.loadBalancer.metricName, groups })
  }

  #fleetProps(props: GatewayProps, imageId: string | undefined): NodeFleetProps {
    const { name, tags = {}, certificates, ingressPorts = [80, 443], managementNetworks = [] } = props
    return {
      name,
      gateway: name,
      tags,
      network: this.network,
      key: this.key,
      alarmTopics: this.alarmTopics,
      rollbackAlarms: this.observability.rollbackAlarms,
      targetGroupArns: this.loadBalancer.targetGroupArns,
      configSource: this.configSource,
      internetPorts: certificates === 'acme' ? [443] : [],
      imageId,
      statements: [
        ...this.certificates.statements,
        ...this.observability.statements,
        ...connectStatements(this.redis, this.database),
      ],
      host: {
        configuration: props.configuration,
        ingressPorts,
        managementNetworks,
        // The load balancer checks the health of nodes from its own addresses within the VPC.
        monitoringNetworks: [this.network.cidr, ...(props.monitoringNetworks ?? [])],
        ...(props.aptRepository && { aptRepository: props.aptRepository }),
      },
      ...props.parts?.fleet,
    }
  }

  #connect(fleet: Fleet, prefix: '' | 'green-', { ingressPorts = [80, 443], parts }: GatewayProps) {
    new AllowedTraffic(this, `${prefix}clients-to-nodes`, {
      fromSecurityGroupId: this.loadBalancer.securityGroupId,
      toSecurityGroupId: fleet.securityGroupId,
      ports: [...ingressPorts, parts?.loadBalancer?.healthCheck?.port ?? 9090],
      description: 'Clients and health checks through the load balancer',
    })
    const letNodesReach = (to: { securityGroupId: string; port: number }, what: string) =>
      new AllowedTraffic(this, `${prefix}nodes-to-${what}`, {
        fromSecurityGroupId: fleet.securityGroupId,
        toSecurityGroupId: to.securityGroupId,
        ports: [to.port],
        description: `Gateway nodes use ${what}`,
        egress: false,
      })
    letNodesReach(this.redis, 'redis')
    if (this.database) letNodesReach(this.database, 'database')
  }
}

/** What lets nodes connect to their stores with their role in place of a password. */
function connectStatements(redis: Redis, database: Database | undefined): Statement[] {
  const statements: Statement[] = []
  if (redis.connectArns.length > 0) {
    statements.push({ sid: 'ConnectRedis', actions: ['elasticache:Connect'], resources: redis.connectArns })
  }
  if (database && database.connectArns.length > 0) {
    statements.push({ sid: 'ConnectDatabase', actions: ['rds-db:connect'], resources: database.connectArns })
  }
  return statements
}
