import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { S3Backend, TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { Gateway } from '../constructs/index.ts'
import type { AwsEnvironment } from './environment.ts'
import type { EnvironmentFolder } from './environment-folder.ts'

/** An environment on AWS: the whole gateway, in one region. */
export class AwsStack extends TerraformStack {
  constructor(scope: Construct, folder: EnvironmentFolder<AwsEnvironment>) {
    super(scope, folder.name)
    const { environment } = folder
    const tags = { ...environment.tags, project: 'gatehouse', environment: folder.name }
    keepState(this, environment)
    new AwsProvider(this, 'aws', { region: environment.region, defaultTags: [{ tags }] })
    const gateway = new Gateway(this, 'gateway', {
      name: `gatehouse-${folder.name}`,
      zones: environment.zones,
      cidr: environment.network.cidr,
      configuration: folder.files,
      ingressPorts: folder.ingressPorts,
      dnsZone: environment.dns.zone,
      domains: environment.dns.domains,
      instanceType: environment.nodes.instance_type,
      minNodes: environment.nodes.min,
      maxNodes: environment.nodes.max,
      logVolumeSize: environment.nodes.log_volume_gib,
      redisNodeType: environment.redis.node_type,
      redisShards: environment.redis.shards,
      redisReplicas: environment.redis.replicas,
      managementNetworks: environment.management_networks,
      monitoringNetworks: environment.monitoring_networks,
      deletionProtection: environment.deletion_protection,
      tags,
      ...(environment.nodes.image && { imageId: environment.nodes.image }),
      ...(folder.aptRepository && { aptRepository: folder.aptRepository }),
    })
    new TerraformOutput(this, 'virtual_ips', { value: gateway.virtualIp.addresses })
    new TerraformOutput(this, 'load_balancer', { value: gateway.loadBalancer.dnsName })
    new TerraformOutput(this, 'redis', { value: `${gateway.redis.host}:${gateway.redis.port}` })
  }
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
  stack.addOverride('terraform.backend.s3.use_lockfile', true)
  stack.addOverride('terraform.required_version', '>= 1.11.0') // use_lockfile
}
