import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Gateway, type GatewayProps } from '../../../constructs/index.ts'
import { all, danglingReferences, type Synthesized, synthesize } from '../synthesized.ts'

const region = 'eu-central-1'
const letters = ['a', 'b', 'c', 'd', 'e', 'f']
const armTypes = ['c7gd.xlarge', 'c6gd.xlarge', 'm7gd.large', 'c7g.2xlarge']

/** Any gateway that an environment can ask for. */
const anyGateway: fc.Arbitrary<GatewayProps> = fc
  .record({
    name: fc.stringMatching(/^[a-z][a-z0-9]{0,12}(-[a-z0-9]{1,8}){0,2}$/).filter((name) => name.length <= 40),
    zones: fc.uniqueArray(fc.constantFrom(...letters), { minLength: 2, maxLength: 6 }),
    cidr: fc.constantFrom('10.20.0.0/16', '10.40.0.0/20', '172.16.8.0/21', '192.168.0.0/23'),
    labels: fc.uniqueArray(fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/), {
      minLength: 1,
      maxLength: 5,
    }),
    wildcard: fc.boolean(),
    ports: fc.uniqueArray(fc.constantFrom(80, 443, 8443, 10_000), { minLength: 1, maxLength: 4 }),
    nat: fc.constantFrom('zone', 'none'),
    types: fc.uniqueArray(fc.constantFrom(...armTypes), { minLength: 1 }),
    shards: fc.integer({ min: 1, max: 6 }),
    replicas: fc.integer({ min: 1, max: 3 }),
    green: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
    database: fc.boolean(),
    acme: fc.boolean(),
  })
  .map(
    ({
      zones,
      labels,
      wildcard,
      nat,
      types,
      shards,
      replicas,
      green,
      database,
      acme,
      ...rest
    }): GatewayProps => ({
      name: rest.name,
      cidr: rest.cidr,
      ingressPorts: rest.ports,
      zones: zones.map((letter) => `${region}${letter}`),
      configuration: { 'config.yaml': 'workers: auto\n' },
      dnsZone: 'example.com',
      domains: [...labels.map((label) => `${label}.example.com`), ...(wildcard ? ['*.example.com'] : [])],
      certificates: acme ? 'acme' : 'secrets',
      tags: { team: 'platform' },
      parts: {
        network: { nat: nat as 'zone' | 'none' },
        redis: { shards, replicas },
        fleet: { instanceTypes: types },
        ...(database && { database: {} }),
      },
      ...(green !== undefined && { green: { percent: green } }),
    }),
  )

const synthesized = (props: GatewayProps) => synthesize((stack) => new Gateway(stack, 'gateway', props))

/** Argument that names a kind of resource → its longest, as AWS documents them. */
const limits: readonly (readonly [type: string, argument: string, most: number])[] = [
  ['aws_autoscaling_group', 'name', 255],
  ['aws_cloudwatch_metric_alarm', 'alarm_name', 255],
  ['aws_cloudwatch_log_group', 'name', 512],
  ['aws_db_instance', 'identifier', 63],
  ['aws_elasticache_replication_group', 'replication_group_id', 40],
  ['aws_elasticache_subnet_group', 'name', 255],
  ['aws_elasticache_user', 'user_id', 40],
  ['aws_elasticache_user_group', 'user_group_id', 40],
  ['aws_iam_instance_profile', 'name', 128],
  ['aws_iam_role', 'name', 64],
  ['aws_iam_service_linked_role', 'custom_suffix', 35],
  ['aws_kms_alias', 'name', 256],
  ['aws_launch_template', 'name', 128],
  ['aws_lb', 'name', 32],
  ['aws_lb_target_group', 'name', 32],
  ['aws_security_group', 'name', 255],
  ['aws_sns_topic', 'name', 256],
]

const namesOf = (json: Synthesized, type: string, argument: string): string[] =>
  all(json, type).map((resource) => resource[argument])

const addresses = (json: Synthesized) =>
  Object.entries(json.resource)
    .flatMap(([type, resources]) => Object.keys(resources).map((id) => `${type}.${id}`))
    .sort()

/** Addresses that a resource, with everything that it refers to, waits for; fails where that leads back to itself. */
function expectNoCycle(json: Synthesized) {
  const uses = new Map<string, Set<string>>(
    Object.entries(json.resource).flatMap(([type, resources]) =>
      Object.entries(resources).map(([id, resource]) => {
        const found = JSON.stringify(resource).matchAll(/(?<![\w.-])(aws_[a-z0-9_]+\.[A-Za-z0-9_-]+)/g)
        return [`${type}.${id}`, new Set([...found].map(([, address]) => address!))] as const
      }),
    ),
  )
  const done = new Set<string>()
  const visit = (address: string, above: readonly string[]) => {
    expect(above).not.toContain(address)
    if (done.has(address)) return
    for (const used of uses.get(address) ?? []) visit(used, [...above, address])
    done.add(address)
  }
  for (const address of uses.keys()) visit(address, [])
}

const runs = { numRuns: 5 }

describe('any gateway', () => {
  test('refers to what it has, in no circle', () => {
    fc.assert(
      fc.property(anyGateway, (props) => {
        const json = synthesized(props)
        expect(danglingReferences(json)).toEqual([])
        // Within words of base64 (user data), anything may stand.
        expect(JSON.stringify(json)).not.toMatch(/TfToken|\[object |(?<![\w+/])(undefined|NaN)(?![\w+/=])/)
        expectNoCycle(json)
      }),
      runs,
    )
  }, 180_000)

  test('has names that are unique and that AWS takes', () => {
    fc.assert(
      fc.property(anyGateway, (props) => {
        const json = synthesized(props)
        for (const [type, argument, most] of limits) {
          const names = namesOf(json, type, argument)
          expect([type, new Set(names).size]).toEqual([type, names.length])
          for (const name of names) expect([type, name, name.length <= most]).toEqual([type, name, true])
        }
        for (const name of namesOf(json, 'aws_lb', 'name'))
          expect(name).toMatch(/^[a-z]([a-z0-9-]*[a-z0-9])?$/)
        for (const { bucket } of all(json, 'aws_s3_bucket')) {
          // The account has 12 digits, and the longest region 14 characters.
          expect(
            bucket.replace(/\$\{[^}]+account_id\}/, '1'.repeat(12)).replace(/\$\{[^}]+\}/, 'ap-southeast-1')
              .length,
          ).toBeLessThanOrEqual(63)
        }
      }),
      runs,
    )
  }, 180_000)

  test('is the same in whatever order zones and domains stand', () => {
    fc.assert(
      fc.property(anyGateway, (props) => {
        const reordered = { ...props, zones: props.zones.toReversed(), domains: props.domains.toReversed() }
        expect(synthesized(reordered).resource).toEqual(synthesized(props).resource)
      }),
      runs,
    )
  }, 180_000)

  test('replaces nothing when a zone, a domain or a type of node is added', () => {
    fc.assert(
      fc.property(anyGateway, (props) => {
        const zone = letters.map((letter) => `${region}${letter}`).find((each) => !props.zones.includes(each))
        const type = armTypes.find((each) => !props.parts!.fleet!.instanceTypes!.includes(each))
        const grown = synthesized({
          ...props,
          zones: zone ? [...props.zones, zone] : props.zones,
          domains: [...props.domains, 'added-later.example.com'],
          parts: {
            ...props.parts,
            fleet: { instanceTypes: [...props.parts!.fleet!.instanceTypes!, ...(type ? [type] : [])] },
          },
        })
        const before = synthesized(props)
        expect(addresses(grown)).toEqual(expect.arrayContaining(addresses(before)))
        // What cannot be changed in place keeps what it is made of.
        for (const [kind, argument] of identities) {
          expect(valuesOf(grown, kind, argument)).toMatchObject(valuesOf(before, kind, argument))
        }
      }),
      runs,
    )
  }, 180_000)
})

/** Arguments whose change replaces a resource. */
const identities = [
  ...limits.map(([type, argument]) => [type, argument] as const),
  ['aws_subnet', 'cidr_block'],
  ['aws_subnet', 'availability_zone'],
  ['aws_vpc', 'cidr_block'],
  ['aws_secretsmanager_secret', 'name'],
  ['aws_s3_bucket', 'bucket'],
  ['aws_s3_object', 'key'],
  ['aws_lb_target_group', 'port'],
  ['aws_route53_record', 'name'],
] as const

const valuesOf = (json: Synthesized, type: string, argument: string) =>
  Object.fromEntries(
    Object.entries(json.resource[type] ?? {}).map(([id, resource]) => [id, resource[argument]]),
  )
