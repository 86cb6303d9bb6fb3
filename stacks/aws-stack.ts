import { join, resolve } from 'node:path'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { S3Backend, TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { awsName } from '../constructs/aws/names.ts'
import { Gateway, type GatewayProps, LogVolume, type PartProps } from '../constructs/index.ts'
import { regionsOf } from './aws-checks.ts'
import type { AwsEnvironment, AwsRegion } from './aws-environment.ts'
import type { EnvironmentFolder } from './environment-folder.ts'

const root = resolve(import.meta.dirname, '..')

/** An environment on AWS, in one of its regions: the whole gateway. */
export class AwsStack extends TerraformStack {
  readonly gateway: Gateway

  /**
   * @param regionIndex 0 for the region of the environment, from 1 on for those of further_regions; the stack of the
   * first is called as the environment, the others with their region behind
   */
  constructor(scope: Construct, folder: EnvironmentFolder<AwsEnvironment>, regionIndex = 0) {
    const { environment } = folder
    const { settings } = regionsOf(environment)[regionIndex]!
    const name = regionIndex === 0 ? folder.name : `${folder.name}-${settings.region}`
    super(scope, name)
    const tags = { ...environment.tags, project: 'gatehouse', environment: folder.name }
    keepState(this, environment)
    new AwsProvider(this, 'aws', {
      region: settings.region,
      defaultTags: [{ tags }],
      ...(environment.aws_endpoint && emulator(environment.aws_endpoint)),
    })
    this.gateway = new Gateway(this, 'gateway', {
      name: awsName(40, 'gatehouse', name),
      zones: settings.zones,
      cidr: settings.network.cidr,
      configuration: folder.files,
      ingressPorts: folder.ingressPorts,
      dnsZone: environment.dns.zone,
      domains: environment.dns.domains,
      certificates: environment.certificates,
      managementNetworks: environment.management_networks,
      monitoringNetworks: environment.monitoring_networks,
      deletionProtection: environment.deletion_protection,
      tags,
      parts: partProps(folder, settings, regionIndex),
      ...(environment.green && { green: greenProps(environment.green) }),
      ...(environment.permissions_boundary && { permissionsBoundary: environment.permissions_boundary }),
      ...(folder.aptRepository && { aptRepository: folder.aptRepository }),
    })
    this.#addOutputs()
  }

  #addOutputs() {
    const { virtualIps, loadBalancer, redis, configuration, alarmTopics, nodeSecurityGroup } =
      this.gateway.outputs
    const output = (id: string, value: unknown, description: string) =>
      new TerraformOutput(this, id, { value, description })
    output('virtual_ips', virtualIps, 'Public addresses by zone, for the firewalls of partners')
    output('load_balancer', loadBalancer, 'DNS name of the load balancer')
    output('redis', redis, 'Where nodes count')
    output('configuration', configuration, 'Where nodes find their configuration')
    output('alarm_topics', { page: alarmTopics.page, tell: alarmTopics.tell }, 'Topics that alarms go to')
    output('node_security_group', nodeSecurityGroup, 'Security group of the nodes, which services let in')
  }
}

/** Names of the stacks of an environment. */
export const regionCount = (environment: AwsEnvironment) => regionsOf(environment).length

function partProps(
  { environment, statusPort }: EnvironmentFolder<AwsEnvironment>,
  { region, network, nodes: ownNodes }: AwsRegion,
  regionIndex: number,
): PartProps {
  const { dns, redis, load_balancer: balancer, database, budget_usd: monthlyLimit } = environment
  const nodes = ownNodes ?? environment.nodes
  const retention = environment.log_retention_days
  return {
    network: { nat: network.nat, flowLogRetention: retention },
    loadBalancer: {
      healthCheck: {
        port: statusPort,
        interval: balancer.health_check_interval,
        threshold: balancer.health_check_threshold,
      },
      deregistrationDelay: balancer.deregistration_delay,
      clientAddress: balancer.client_address,
      accessLogExpiration: retention,
    },
    redis: {
      engine: redis.engine,
      nodeType: redis.node_type,
      shards: redis.shards,
      replicas: redis.replicas,
      snapshotRetention: redis.snapshot_days,
      logRetention: retention,
    },
    fleet: fleetProps(environment, nodes),
    dns: {
      // What belongs to the zone as a whole is made with the first region.
      createZone: dns.create_zone && regionIndex === 0,
      dnssec: dns.dnssec && regionIndex === 0,
      authorities: regionIndex === 0 ? dns.authorities.map(authority) : [],
      routing: routing(environment, region, regionIndex),
    },
    observability: { retention },
    alerts: environment.alerts,
    ...(nodes.package && { image: { packagePath: join(root, nodes.package) } }),
    ...(database && {
      database: {
        instanceClass: database.instance_class,
        storage: database.storage_gib,
        logRetention: retention,
      },
    }),
    ...(monthlyLimit && { budget: { monthlyLimit, tag: { key: 'project', value: 'gatehouse' } } }),
  }
}

function fleetProps(
  { certificates }: AwsEnvironment,
  nodes: AwsEnvironment['nodes'],
): NonNullable<PartProps['fleet']> {
  const gp3 = { size: nodes.log_volume_gib }
  const logVolumes = {
    auto: () => LogVolume.for(nodes.instance_types, gp3),
    nvme: () => LogVolume.instanceStore(),
    gp3: () => LogVolume.gp3(gp3),
  }
  return {
    instanceTypes: nodes.instance_types,
    minNodes: nodes.min,
    maxNodes: nodes.max,
    spotPercent: nodes.spot_percent,
    logVolume: logVolumes[nodes.log_volume](),
    upstreamNetworks: nodes.upstream_networks,
    internetPorts: [...new Set([...nodes.internet_ports, ...(certificates === 'acme' ? [443] : [])])],
    ...(nodes.image && { imageId: nodes.image }),
  }
}

type Green = NonNullable<AwsEnvironment['green']>
const greenProps = ({
  percent,
  image,
  instance_types: instanceTypes,
}: Green): NonNullable<GatewayProps['green']> => ({
  percent,
  ...(image && { imageId: image }),
  ...(instanceTypes && { instanceTypes }),
})

const authority = ({
  ca,
  account_uri: accountUri,
  validation_methods: validationMethods,
}: AwsEnvironment['dns']['authorities'][number]) => ({
  ca,
  ...(accountUri && { accountUri }),
  ...(validationMethods && { validationMethods }),
})

function routing({ dns }: AwsEnvironment, region: string, index: number) {
  if (dns.routing === 'latency') return { policy: 'latency', region } as const
  if (dns.routing === 'failover') {
    return { policy: 'failover', role: index === 0 ? 'primary' : 'secondary' } as const
  }
  return undefined
}

/** In S3, encrypted, and locked by a file beside it, so that no table is needed; else in a file of this machine. */
function keepState(stack: TerraformStack, { state, region }: AwsEnvironment) {
  if (!state) return
  new S3Backend(stack, {
    bucket: state.bucket,
    key: `gatehouse/${stack.node.id}.tfstate`,
    region: state.region ?? region,
    encrypt: true,
    ...(state.kms_key && { kmsKeyId: state.kms_key }),
  })
  // Terraform before 1.10 refuses this argument by name; a required_version is what checkov stumbles over.
  stack.addOverride('terraform.backend.s3.use_lockfile', true)
}

/** Services of AWS that a gateway is made of, as the provider calls their endpoints. */
const services = [
  'autoscaling',
  'budgets',
  'cloudwatch',
  'ec2',
  'elasticache',
  'elbv2',
  'iam',
  'imagebuilder',
  'kms',
  'logs',
  'rds',
  'route53',
  's3',
  'secretsmanager',
  'sns',
  'ssm',
  'sts',
] as const

const emulator = (endpoint: string) => ({
  endpoints: [Object.fromEntries(services.map((service) => [service, endpoint]))],
  s3UsePathStyle: true,
  skipCredentialsValidation: true,
  skipMetadataApiCheck: 'true',
})
