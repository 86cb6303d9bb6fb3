import { z } from '@gatehouse/gateway-runtime/config'
import { parseNetwork, parseVpcNetwork } from '../constructs/aws/cidr.ts'
import { isInstanceType } from '../constructs/aws/instance-type.ts'
import { retentions } from '../constructs/aws/log-group.ts'
import { isTagKey, tagKeyRule } from '../constructs/aws/tag-key.ts'
import { checkAwsEnvironment } from './aws-checks.ts'
import { domain, hosted, isDistinct, network } from './environment-parts.ts'

const vpcNetwork = z.string().superRefine((cidr, context) => {
  try {
    parseVpcNetwork(cidr)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})
/** A network without bits past its prefix, so that it can be compared. */
const peerNetwork = network.superRefine((cidr, context) => {
  try {
    if (!cidr.includes(':')) parseNetwork(cidr)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})
const instanceType = z.string().refine(isInstanceType, 'expected an instance type such as c7gd.xlarge')
const nodeType = z
  .string()
  .regex(/^cache\.[a-z0-9-]+\.[a-z0-9]+$/, 'expected a node type such as cache.r7g.large')
const image = z.string().regex(/^ami-[0-9a-f]{8,17}$/, 'expected an image such as ami-0123456789abcdef0')
const region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-central-1')
const zones = z
  .array(
    z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-h]$/, 'expected an availability zone such as eu-central-1a'),
  )
  .min(2)
  .max(6)
  .refine(isDistinct, 'expected each zone once')
const address = z
  .string()
  .regex(/^(https:\/\/\S+|[^\s@]+@[^\s@]+\.[^\s@]+)$/, 'expected an e-mail or https address')
const port = z.int().min(1).max(65_535)

const networkSchema = z.strictObject({
  cidr: vpcNetwork.describe('IPv4 network of the VPC, /16 to /23.'),
  nat: z
    .enum(['zone', 'none'])
    .default('none')
    .describe('Whether private subnets reach the internet, through a NAT gateway in each zone.'),
  peers: z
    .array(peerNetwork)
    .max(64)
    .default([])
    .describe('Networks that the VPC is joined with; none may overlap with it.'),
})

const nodesSchema = z
  .strictObject({
    instance_types: z
      .array(instanceType)
      .min(1)
      .max(20)
      .refine(isDistinct, 'expected each type once')
      .default(['c7gd.xlarge', 'c6gd.xlarge'])
      .describe('The one to prefer first; all of one architecture.'),
    image: image.optional().describe('Image (ami-…); the newest Debian 13.'),
    package: z
      .string()
      .regex(/\.deb$/, 'expected a path that ends with .deb')
      .optional()
      .describe('Debian package, from the root of the checkout, that an image is built of.'),
    min: z.int().min(1).max(1_000).default(3),
    max: z.int().min(1).max(1_000).default(12),
    spot_percent: z.int().min(0).max(100).default(0),
    log_volume: z
      .enum(['auto', 'nvme', 'gp3'])
      .default('auto')
      .describe("nvme: the instance's own disk; gp3: a volume; auto: nvme where all types have it."),
    log_volume_gib: z.int().min(10).max(16_384).default(50).describe('Size of a gp3 log volume.'),
    upstream_networks: z.array(network).max(32).default([]).describe('Networks of services, beside the VPC.'),
    internet_ports: z
      .array(port)
      .max(16)
      .default([])
      .describe('Ports that nodes may connect to anywhere; needs network.nat.'),
  })
  .refine(({ min, max }) => max >= min, { path: ['max'], message: 'expected at least the value of min' })
  .refine((nodes) => !(nodes.image && nodes.package), {
    path: ['package'],
    message: 'expected image or package, not both',
  })

const redisSchema = z.strictObject({
  engine: z.enum(['valkey', 'redis']).default('valkey'),
  node_type: nodeType.default('cache.r7g.large'),
  shards: z.int().min(1).max(500).default(3),
  replicas: z.int().min(1).max(5).default(2).describe('Replicas of each shard.'),
  snapshot_days: z.int().min(1).max(35).default(7).describe('How long daily snapshots are kept.'),
})

const loadBalancerSchema = z.strictObject({
  health_check_interval: z.int().min(5).max(300).default(10).describe('Seconds.'),
  health_check_threshold: z
    .int()
    .min(2)
    .max(10)
    .default(2)
    .describe('Checks in a row that take a node in or out.'),
  deregistration_delay: z
    .int()
    .min(0)
    .max(3_600)
    .default(45)
    .describe('Seconds that a node which leaves may finish in.'),
  client_address: z
    .enum(['preserve', 'proxy-protocol'])
    .default('preserve')
    .describe('How nodes learn who the client is; proxy-protocol goes with proxy_protocol of the listeners.'),
})

const dnsSchema = z.strictObject({
  zone: domain.describe('Public hosted zone.'),
  create_zone: z.boolean().default(false).describe('Whether the zone is made; else it is there already.'),
  domains: z
    .array(domain)
    .min(1)
    .max(100)
    .refine(isDistinct, 'expected each domain once')
    .describe('Names that lead to the gateway.'),
  routing: z
    .enum(['latency', 'failover'])
    .optional()
    .describe('Which of several regions answers: the nearest, or the first that is well.'),
  authorities: z
    .array(
      z.strictObject({
        ca: domain,
        account_uri: z.url({ protocol: /^https$/ }).optional(),
        validation_methods: z
          .array(z.enum(['dns-01', 'http-01', 'tls-alpn-01']))
          .min(1)
          .optional(),
      }),
    )
    .max(8)
    .default([])
    .describe('Authorities that may issue certificates (CAA); any, where none is named.'),
  dnssec: z.boolean().default(false).describe('Whether the zone is signed.'),
})

const regionSchema = z.strictObject({
  region,
  zones,
  network: networkSchema,
  nodes: nodesSchema.optional().describe('Where they differ from those of the first region.'),
})

export const awsSchema = z
  .strictObject({
    target: z.literal('aws'),
    region,
    zones: zones.describe('Availability zones of the region.'),
    network: networkSchema,
    further_regions: z
      .array(regionSchema)
      .max(8)
      .default([])
      .describe('Further regions with the same gateway, each a stack of its own; needs dns.routing.'),
    dns: dnsSchema,
    nodes: nodesSchema.prefault({}),
    green: z
      .strictObject({
        percent: z
          .int()
          .min(0)
          .max(100)
          .describe('Of new connections: 0 keeps it warm, 100 promotes it, 0 again rolls back.'),
        image: image.optional().describe('Image of the second fleet; that of the first.'),
        instance_types: z.array(instanceType).min(1).max(20).optional(),
      })
      .optional()
      .describe('A second fleet behind the same addresses.'),
    load_balancer: loadBalancerSchema.prefault({}),
    redis: redisSchema.prefault({}),
    database: z
      .strictObject({
        instance_class: z
          .string()
          .regex(/^db\.[a-z0-9-]+\.[a-z0-9]+$/, 'expected a class such as db.m7g.large')
          .default('db.m7g.large'),
        storage_gib: z.int().min(400).max(65_536).default(400),
      })
      .optional()
      .describe('Postgres for the configuration; without it there is none.'),
    certificates: z
      .enum(['acme', 'secrets'])
      .default('secrets')
      .describe('acme: nodes get them themselves; secrets: somebody puts them into Secrets Manager.'),
    alerts: z
      .strictObject({
        page: z.array(address).max(16).default([]).describe('Who is woken.'),
        tell: z.array(address).max(16).default([]).describe('Who reads in the morning.'),
      })
      .prefault({}),
    budget_usd: z
      .int()
      .min(1)
      .optional()
      .describe('Dollars a month past which somebody is told; the tag "project" must be a cost tag.'),
    log_retention_days: z
      .union(retentions.map((days) => z.literal(days)))
      .default(365)
      .describe(`How long logs are kept: ${retentions.join(', ')}.`),
    permissions_boundary: z
      .string()
      .regex(/^arn:[a-z-]+:iam::\d{12}:policy\/\S+$/, 'expected the ARN of a policy')
      .optional()
      .describe('Policy that no role may go beyond.'),
    deletion_protection: z
      .boolean()
      .default(true)
      .describe('Whether AWS refuses to delete the load balancer and the database.'),
    tags: z
      .record(z.string().refine(isTagKey, `expected a key of ${tagKeyRule}`), z.string().max(256))
      .default({})
      .describe('Put on every resource.'),
    aws_endpoint: z
      .string()
      .regex(/^https?:\/\/[a-z0-9.:[\]-]+$/i, 'expected an address such as http://localhost:4566')
      .optional()
      .describe('An emulator in place of AWS.'),
    state: z
      .strictObject({
        bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of an S3 bucket'),
        region: z.string().optional().describe('Region of the bucket; that of the environment.'),
        kms_key: z.string().optional().describe('Key (ARN) that the state is encrypted with; the one of S3.'),
      })
      .optional()
      .describe(
        'S3 bucket that keeps the state (npm run bootstrap:state makes one); without it, a file of this machine.',
      ),
    ...hosted,
  })
  .superRefine(checkAwsEnvironment)

export type AwsEnvironment = z.output<typeof awsSchema>
export type AwsRegion = z.output<typeof regionSchema>
