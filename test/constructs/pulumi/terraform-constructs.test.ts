import { beforeAll, describe, expect, test } from '@jest/globals'
import { installEngine } from '../../../scripts/engines/install.ts'
import { deploy } from './deploy.ts'

beforeAll(() => installEngine('pulumi'), 600_000)

/** A program of a team: what it builds stands in `build`. */
const program = (build: string, options = '{}') => `
import * as pulumi from '@pulumi/pulumi'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { S3Object } from '@cdktf/provider-aws/lib/s3-object/index.js'
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { AcmCertificate } from '@cdktf/provider-aws/lib/acm-certificate/index.js'
import { Fn, TerraformAsset, TerraformOutput, TerraformVariable } from 'cdktf'
import { Gateway, GatewayRepository } from '#root/constructs/index.ts'
import { TerraformConstructs } from '#root/constructs/pulumi/index.ts'
import { TerraformData } from '#root/constructs/terraform.ts'
const component = new TerraformConstructs('test', (scope) => { ${build} }, ${options})
export const outputs = component.outputs
`
const names = `{ names: { resources: { aws_acm_certificate: { token: 'aws:acm/certificate:Certificate', properties: {
  domain_name: { name: 'domainName', shape: 'string' } } } } } }`

describe('TerraformConstructs', () => {
  test('has every part of a gateway: also those that are made only where they are asked for', async () => {
    const { resources, calls } = await deploy(
      program(`
        const gateway = new Gateway(scope, 'gateway', {
          name: 'gatehouse-all',
          zones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
          configuration: { 'config.yaml': 'workers: auto\\n' },
          dnsZone: 'example.com',
          domains: ['api.example.com', '*.api.example.com'],
          certificates: 'acme',
          green: { percent: 5, imageId: 'ami-0123456789abcdef0' },
          parts: {
            database: {},
            image: { packagePath: '#root/package.json' },
            network: { nat: 'zone' },
            budget: { monthlyLimit: 1000, tag: { key: 'team', value: 'platform' } },
            alerts: { page: ['oncall@example.com'], tell: ['https://hooks.example.com/tell'] },
            dns: { createZone: true, dnssec: true, authorities: [{ ca: 'letsencrypt.org', validationMethods: ['dns-01'] }],
              routing: { policy: 'latency', region: 'eu-central-1' } },
          },
        })
        new GatewayRepository(gateway, 'repository', { name: 'gatehouse-all', key: gateway.key })`),
    )
    const types = new Set(resources.map(({ type }) => type))
    for (const type of [
      'rds/instance:Instance',
      'imagebuilder/image:Image',
      'budgets/budget:Budget',
      'ecr/repository:Repository',
      'route53/keySigningKey:KeySigningKey',
      'sns/topicSubscription:TopicSubscription',
    ]) {
      expect([...types]).toContain(`aws:${type}`)
    }
    // The image that Image Builder made in this region, of a set of all.
    const templates = resources.filter(({ type }) => type === 'aws:ec2/launchTemplate:LaunchTemplate')
    expect(templates.map(({ inputs }) => inputs.imageId).sort()).toEqual([
      expect.stringMatching(/^<gateway_image_[0-9A-F]{8}\.output_resources\.amis\.image>$/),
      'ami-0123456789abcdef0',
    ])
    const image = resources.find(({ type }) => type === 'aws:imagebuilder/image:Image')!
    expect(image.options.timeouts).toMatchObject({ create: '90m' })
    expect(calls.map(({ token }) => token)).toContain('aws:index/getRegion:getRegion')
  }, 120_000)

  test('turns lifecycles, providers, assets and secrets into options and values of Pulumi', async () => {
    const { resources, outputs, secrets } = await deploy(
      program(`
        new AwsProvider(scope, 'aws', { region: 'eu-central-1' })
        const west = new AwsProvider(scope, 'west', { alias: 'west', region: 'eu-west-1' })
        const eip = new Eip(scope, 'eip', { lifecycle: { preventDestroy: true, ignoreChanges: ['public_ipv4_pool', 'tags["a"]'] } })
        new SnsTopic(scope, 'topic', { provider: west, displayName: Fn.join('-', ['a', eip.publicIp]), dependsOn: [eip], lifecycle: { createBeforeDestroy: true } })
        new LbTargetGroup(scope, 'targets', { deregistrationDelay: '45', preserveClientIp: 'true', healthCheck: { port: '80' } })
        const asset = new TerraformAsset(scope, 'asset', { path: '#root/package.json' })
        new S3Object(scope, 'object', { bucket: 'b', key: 'k', source: asset.path })
        const variable = new TerraformVariable(scope, 'word', { default: 'default', sensitive: true })
        new TerraformOutput(scope, 'address', { value: eip.publicIp })
        new TerraformOutput(scope, 'word_out', { value: variable.stringValue, sensitive: true })`),
    )
    const named = (name: string) => resources.find((resource) => resource.name === `test-${name}`)!
    expect(named('eip').options).toMatchObject({
      protect: true,
      deleteBeforeReplace: true,
      ignoreChanges: ['publicIpv4Pool', 'tags["a"]'],
    })
    expect(named('eip').provider).toContain('::test-aws::')
    expect(named('topic').provider).toContain('::test-aws-west::')
    expect(named('topic').options).toMatchObject({ deleteBeforeReplace: false, dependencies: ['test-eip'] })
    expect(named('topic').inputs.displayName).toBe('a-<eip.public_ip>')
    expect(named('targets').inputs).toMatchObject({
      deregistrationDelay: 45,
      preserveClientIp: 'true',
      healthCheck: { port: '80' },
    })
    expect(named('object').inputs.source.asset).toMatch(
      /stacks\/test\/assets\/asset\/[0-9A-F]+\/package\.json$/,
    )
    expect(outputs).toEqual({ address: '<eip.public_ip>', word_out: 'default' })
    expect(secrets).toEqual([false, true])
  }, 120_000)

  test('keeps passwords and keys of connections secret', async () => {
    const { resources } = await deploy(
      program(`new TerraformData(scope, 'host', {
        triggersReplace: { a: 'b' },
        provisioners: [{ type: 'remote-exec', inline: ['true', 'false'], connection: { type: 'ssh', host: '192.0.2.1', privateKey: 'key', timeout: '2m' } }],
      })`),
    )
    const command = resources.find(({ type }) => type === 'command:remote:Command')!
    expect(command.secrets).toContain('connection')
    expect(command.inputs).toMatchObject({
      create: 'true\nfalse',
      triggers: [{ a: 'b' }],
      connection: {
        host: '192.0.2.1',
        port: 22,
        user: 'root',
        privateKey: 'key',
        dialErrorLimit: 8,
        perDialTimeout: 15,
      },
    })
  }, 120_000)

  test('takes names of further types from the program', async () => {
    const build = `new AcmCertificate(scope, 'certificate', { domainName: 'api.example.com' })`
    const { resources } = await deploy(program(build, names))
    expect(resources.find(({ type }) => type === 'aws:acm/certificate:Certificate')!.inputs).toEqual({
      domainName: 'api.example.com',
    })
  }, 120_000)

  test.each([
    [
      "new AcmCertificate(scope, 'certificate', { domainName: 'a' })",
      'aws_acm_certificate has no known name in Pulumi: give it with the option names',
    ],
    [
      "new SnsTopic(scope, 'topic', { count: 2 })",
      'aws_sns_topic.topic: count is not known here: repeat in the program',
    ],
    ["new SnsTopic(scope, 'topic', { name: Fn.title('x') })", 'the function title is not known here'],
    [
      "new SnsTopic(scope, 'topic').addOverride('unheard_of', 1)",
      'aws_sns_topic.topic.unheard_of has no known name in Pulumi',
    ],
    [
      "new SnsTopic(scope, 'topic', { provisioners: [{ type: 'local-exec', command: 'x' }] })",
      'provisioners are known here on terraform_data alone',
    ],
  ])(
    'says what it cannot do: %s',
    async (build, message) => {
      await expect(deploy(program(build))).rejects.toThrow(message)
    },
    120_000,
  )
})
