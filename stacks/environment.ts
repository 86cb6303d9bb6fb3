import { isIP } from 'node:net'
import { z } from '@gatehouse/gateway-runtime/config'
import { parseVpcNetwork } from '../constructs/aws/cidr.ts'
import { isNetwork } from '../constructs/host-bootstrap/index.ts'

/*
 * environment.yaml: where a gateway is provisioned, and how large. What it does stands beside it, in config.yaml and
 * services.yaml. Every object is strict. The constructs check the values once more, for those who use them directly.
 */

const network = z.string().refine(isNetwork, 'expected a network such as 10.0.0.0/8')
const networks = z.array(network).max(64).default([])
const domain = z
  .string()
  .regex(
    /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    'expected a host name such as api.example.com',
  )

const aptRepository = z.strictObject({
  url: z
    .string()
    .regex(/^https:\/\//, 'expected an https address')
    .describe('Base address of the repository.'),
  suite: z.string().default('stable'),
  component: z.string().default('main'),
  signing_key: z
    .string()
    .describe('File with the public key of the repository, ASCII-armoured, in this folder.'),
})

const hosted = {
  management_networks: networks.describe('Networks that may reach SSH and the admin API on 8444.'),
  monitoring_networks: networks.describe('Networks that may reach metrics on 9090.'),
  apt_repository: aptRepository
    .optional()
    .describe('Where the package gateway-runtime comes from; without it, it must be in the image.'),
}

const vpcNetwork = z.string().superRefine((cidr, context) => {
  try {
    parseVpcNetwork(cidr)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})
const instanceType = z
  .string()
  .regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, 'expected an instance type such as c7i.xlarge')
const nodeType = z
  .string()
  .regex(/^cache\.[a-z0-9-]+\.[a-z0-9]+$/, 'expected a node type such as cache.r7g.large')
const image = z.string().regex(/^ami-[0-9a-f]{8,17}$/, 'expected an image such as ami-0123456789abcdef0')
const isDistinct = (values: readonly string[]) => new Set(values).size === values.length

const awsSchema = z
  .strictObject({
    target: z.literal('aws'),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-central-1'),
    zones: z
      .array(
        z
          .string()
          .regex(/^[a-z]{2}(-[a-z]+)+-\d[a-h]$/, 'expected an availability zone such as eu-central-1a'),
      )
      .min(2)
      .max(6)
      .refine(isDistinct, 'expected each zone once')
      .describe('Availability zones of the region.'),
    network: z.strictObject({ cidr: vpcNetwork.describe('IPv4 network of the VPC, /16 to /23.') }),
    dns: z.strictObject({
      zone: domain.describe('Public hosted zone that is there already.'),
      domains: z
        .array(domain)
        .min(1)
        .max(100)
        .refine(isDistinct, 'expected each domain once')
        .describe('Names that lead to the gateway.'),
    }),
    nodes: z
      .strictObject({
        instance_type: instanceType.default('c7i.xlarge'),
        image: image.optional().describe('Image (ami-…); the newest Debian 13.'),
        min: z.int().min(1).max(1_000).default(3),
        max: z.int().min(1).max(1_000).default(12),
        log_volume_gib: z.int().min(1).max(16_384).default(50),
      })
      .refine(({ min, max }) => max >= min, { path: ['max'], message: 'expected at least the value of min' })
      .prefault({}),
    redis: z
      .strictObject({
        node_type: nodeType.default('cache.r7g.large'),
        shards: z.int().min(1).max(500).default(3),
        replicas: z.int().min(1).max(5).default(2).describe('Replicas of each shard.'),
      })
      .prefault({}),
    deletion_protection: z
      .boolean()
      .default(true)
      .describe('Whether AWS refuses to delete the load balancer.'),
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .default({})
      .describe('Put on every resource.'),
    state: z
      .strictObject({
        bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of an S3 bucket'),
        region: z.string().optional().describe('Region of the bucket; that of the environment.'),
        kms_key: z.string().optional().describe('Key (ARN) that the state is encrypted with; the one of S3.'),
      })
      .optional()
      .describe(
        'S3 bucket, there already and versioned, that keeps the state; without it, a file of this machine.',
      ),
    ...hosted,
  })
  .superRefine(({ region, zones, dns }, context) => {
    for (const [index, zone] of zones.entries()) {
      if (zone.slice(0, -1) === region) continue
      context.addIssue({ code: 'custom', path: ['zones', index], message: `expected a zone of ${region}` })
    }
    for (const [index, name] of dns.domains.entries()) {
      if (name === dns.zone || name.endsWith(`.${dns.zone}`)) continue
      const path = ['dns', 'domains', index]
      context.addIssue({ code: 'custom', path, message: `expected a name in the zone ${dns.zone}` })
    }
  })

const hostsSchema = z.strictObject({
  target: z.literal('hosts'),
  hosts: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and "-"'),
        address: z.union([z.string().refine((text) => isIP(text) !== 0), domain], {
          error: 'expected an IP address or a host name',
        }),
        host_key: z
          .string()
          .regex(
            /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,}={0,3}$/,
            'expected a key such as ssh-ed25519 AAAA…',
          )
          .describe('Public key of its SSH server, as `ssh-keyscan` shows it.'),
        roles: z
          .array(z.enum(['gateway'], { error: 'expected gateway, the one role that hosts can have so far' }))
          .min(1)
          .default(['gateway']),
      }),
    )
    .min(1)
    .max(1_000)
    .refine((hosts) => isDistinct(hosts.map(({ name }) => name)), 'expected each name once'),
  ssh: z
    .strictObject({
      user: z.string().default('root').describe('root, or an account that may use sudo without a password.'),
      port: z.int().min(1).max(65_535).default(22),
      private_key: z.string().optional().describe('Path of the private key; the SSH agent.'),
    })
    .prefault({}),
  log_device: z
    .string()
    .regex(/^(auto|\/dev\/[A-Za-z0-9._:@+=/-]{1,200})$/, 'expected auto or a path below /dev')
    .optional()
    .describe('Blank disk for /var/log/gateway, or auto.'),
  ...hosted,
  management_networks: z
    .array(network)
    .min(1)
    .max(64)
    .describe('Must hold the machine that Terraform runs on.'),
})

const localSchema = z.strictObject({
  target: z.literal('local'),
  directory: z
    .string()
    .optional()
    .describe('Folder for state and logs, from the root of the checkout; .gatehouse/deploy/NAME.'),
})

/** What environment.yaml may hold, by its `target`. */
export const environmentSchema = z.discriminatedUnion('target', [awsSchema, hostsSchema, localSchema], {
  error: (issue) => (issue.code === 'invalid_union' ? 'expected aws, hosts or local' : undefined),
})

export type AwsEnvironment = z.output<typeof awsSchema>
export type HostsEnvironment = z.output<typeof hostsSchema>
export type LocalEnvironment = z.output<typeof localSchema>
export type Environment = z.output<typeof environmentSchema>
