import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { typeCheck } from '../support/type-check.ts'
import { all, danglingReferences, type Synthesized } from './synthesized.ts'

const root = join(import.meta.dirname, '../..')
const directory = mkdtempSync(join(tmpdir(), 'gateway-own-stack-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** A stack as a platform team writes it: it extends Gateway, and brings a Redis of its own. */
const program = `
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { ElasticacheServerlessCache } from '@cdktf/provider-aws/lib/elasticache-serverless-cache/index.js'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { App, TerraformStack } from 'cdktf'
import { Construct } from 'constructs'
import { Alarm, Gateway, type GatewayProps, type Network, type Redis } from '${join(root, 'constructs/index.ts')}'

class ServerlessRedis extends Construct implements Redis {
  readonly host: string
  readonly port = 6379
  readonly securityGroupId: string
  readonly connectArns: readonly string[]
  constructor(scope: Construct, id: string, network: Network) {
    super(scope, id)
    const securityGroup = new SecurityGroup(this, 'security-group', { vpcId: network.vpcId })
    const cache = new ElasticacheServerlessCache(this, 'cache', {
      engine: 'valkey',
      name: 'own',
      securityGroupIds: [securityGroup.id],
      subnetIds: network.zones.map((zone) => zone.dataSubnetId),
    })
    this.host = cache.endpoint.get(0).address
    this.securityGroupId = securityGroup.id
    this.connectArns = [cache.arn]
  }
}

class OwnGateway extends Gateway {
  protected override createRedis(_: GatewayProps): Redis {
    return new ServerlessRedis(this, 'serverless', this.network)
  }
}

const app = new App({ outdir: process.argv[2] ?? 'out' })
const stack = new TerraformStack(app, 'own')
new AwsProvider(stack, 'aws', { region: 'eu-west-1' })
const gateway = new OwnGateway(stack, 'gateway', {
  name: 'own',
  zones: ['eu-west-1a', 'eu-west-1b'],
  configuration: { 'config.yaml': 'workers: auto' },
  dnsZone: 'example.com',
  domains: ['api.example.com'],
})
new Alarm(stack, 'own-alarm', {
  name: 'own',
  description: 'The cache is full',
  severity: 'tell',
  topics: gateway.alarmTopics,
  metric: { namespace: 'AWS/ElastiCache', name: 'BytesUsedForCache', dimensions: { clusterId: 'own' }, statistic: 'Maximum' },
  comparison: '>',
  threshold: 1e9,
})
app.synth()
`

describe('a stack of a platform team, outside this repository', () => {
  test('compiles', () => {
    expect(typeCheck(directory, program)).toBe('')
  })

  test('extends Gateway, takes another Redis, adds an alarm, and synthesizes', () => {
    typeCheck(directory, program) // puts it there
    const out = join(directory, 'out')
    const { status, stderr } = spawnSync(process.execPath, ['--no-deprecation', 'main.ts', out], {
      cwd: directory,
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])

    const json: Synthesized = JSON.parse(readFileSync(join(out, 'stacks/own/cdk.tf.json'), 'utf8'))
    expect(Object.keys(json.resource)).toContain('aws_elasticache_serverless_cache')
    expect(Object.keys(json.resource)).not.toContain('aws_elasticache_replication_group')
    expect(JSON.stringify(json.resource.aws_iam_role_policy)).toContain('aws_elasticache_serverless_cache')
    const alarm = all(json, 'aws_cloudwatch_metric_alarm').find(
      ({ alarm_name: name }) => name === 'own-own-alarm',
    )
    expect(alarm!.alarm_actions).toEqual([expect.stringMatching(/aws_sns_topic\..*tell/)])
    expect(danglingReferences(json)).toEqual([])
  })
})
