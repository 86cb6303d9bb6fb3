import { isIP } from 'node:net'
import { z } from '@gatehouse/gateway-runtime/config'
import { type ClusterShape, clusterProblems } from '../constructs/hosts/cluster-problems.ts'
import { awsSchema } from './aws-environment.ts'
import { domain, hosted, isDistinct, network, networks } from './environment-parts.ts'

/*
 * environment.yaml: where a gateway is provisioned, and how large. What it does stands beside it, in config.yaml and
 * services.yaml. Every object is strict. The constructs check the values once more, for those who use them directly.
 */

const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'expected an IP address')
const port = z.int().min(1).max(65_535)

const edge = z.strictObject({
  virtual_ips: z
    .array(
      z.strictObject({
        address: ipAddress,
        ipv6: ipAddress.optional().describe('IPv6 address that moves with an IPv4 one.'),
      }),
    )
    .min(1)
    .max(16)
    .describe('Addresses of clients. With one, one edge works and the others wait; with one each, all work.'),
  ports: z
    .array(
      z.strictObject({
        port: port.describe('Port of clients.'),
        gateway_port: port.describe('Port of the listener that it leads to.'),
      }),
    )
    .min(1)
    .max(64)
    .optional()
    .describe('Where the ports of clients lead; those of listeners, each to itself.'),
})

const redis = z.strictObject({
  max_memory: z
    .string()
    .regex(/^[1-9]\d{0,9}(kb|mb|gb)$/, 'expected a size such as 256mb')
    .default('256mb')
    .describe('Most memory of one server; each host has one or two.'),
  secret_version: z
    .int()
    .min(1)
    .default(1)
    .describe('Raised when the variable redis_secret changes: hosts are then set up anew.'),
})

const hostKey = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,}={0,3}$/,
    'expected a key such as ecdsa-sha2-nistp256 AAAA…',
  )
  .describe('Public key of its SSH server, as `ssh-keyscan -t ecdsa` shows it.')
const hostAddress = z.union([z.string().refine((text) => isIP(text) !== 0), domain], {
  error: 'expected an IP address or a host name',
})

const dns = z.strictObject({
  server: ipAddress.describe('Server that takes updates of the zone (RFC 2136).'),
  port: port.default(53),
  zone: domain,
  names: z.array(domain).min(1).max(64).describe('Names in the zone that lead to the virtual IPs.'),
  ttl: z.int().min(1).max(86_400).default(60).describe('Seconds that others may keep the records.'),
  key: z
    .strictObject({
      name: z.string(),
      algorithm: z.enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512']).default('hmac-sha256'),
    })
    .describe('Key that updates are signed with; the variable dns_key holds its secret.'),
})

const hostsShape = z.strictObject({
  target: z.literal('hosts'),
  hosts: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and "-"'),
        address: hostAddress,
        host_key: hostKey,
        roles: z
          .array(z.enum(['edge', 'gateway', 'redis'], { error: 'expected edge, gateway or redis' }))
          .min(1)
          .refine(isDistinct, 'expected each role once')
          .default(['gateway'])
          .describe(
            'What it does: balances load and holds virtual IPs (edge), is a gateway, keeps counters (redis).',
          ),
      }),
    )
    .min(1)
    .max(1_000)
    .refine((hosts) => isDistinct(hosts.map(({ name }) => name)), 'expected each name once'),
  ssh: z
    .strictObject({
      user: z.string().default('root').describe('root, or an account that may use sudo without a password.'),
      port: port.default(22),
      private_key: z.string().optional().describe('Path of the private key; the SSH agent.'),
      bastion: z
        .strictObject({
          address: hostAddress,
          host_key: hostKey,
          port: port.default(22),
          user: z.string().optional().describe('That of the hosts.'),
        })
        .optional()
        .describe('A host in between, by which the others are reached, with the same private key.'),
    })
    .prefault({}),
  edge: edge.optional().describe('Given where hosts have the role edge.'),
  dns: dns.optional().describe('Records of the virtual IPs; without it, others see to them.'),
  redis: redis.prefault({}),
  log_device: z
    .string()
    .regex(/^(auto|\/dev\/[A-Za-z0-9._:@+=/-]{1,200})$/, 'expected auto or a path below /dev')
    .optional()
    .describe('Blank disk for /var/log/gateway, or auto.'),
  ...hosted,
  mesh_networks: networks.describe(
    'Networks that may reach sidecars of a mesh on 10000 to 15000 of the nodes.',
  ),
  client_limits: z
    .strictObject({
      connections: z.int().min(1).max(1_000_000).default(4_000).describe('Open at once.'),
      new_per_second: z.int().min(1).max(1_000_000).default(400).describe('After a burst of twice as many.'),
    })
    .prefault({})
    .describe(
      'What the firewall lets one client have, where all may come: an address, of IPv6 its first 64 bits.',
    ),
  management_networks: z
    .array(network)
    .min(1)
    .max(64)
    .describe('Must hold the machine that Terraform runs on.'),
})

/** What of an environment its roles depend on, as the constructs say it. */
export const clusterShape = ({ hosts, edge, dns }: z.output<typeof hostsShape>): ClusterShape => ({
  hosts,
  host: {},
  ...(edge && { edge: edgeProps(edge) }),
  ...(dns && { dns: dnsProps(dns) }),
})

/** The edges of an environment, as the constructs say it. */
export const edgeProps = ({
  virtual_ips,
  ports,
}: z.output<typeof edge>): NonNullable<ClusterShape['edge']> => ({
  virtualIps: virtual_ips,
  ports: ports?.map(({ port, gateway_port: gatewayPort }) => ({ port, gatewayPort })),
})

/** The records of an environment, as the constructs say it. */
export const dnsProps = ({ key, ...rest }: z.output<typeof dns>): NonNullable<ClusterShape['dns']> => ({
  ...rest,
  keyName: key.name,
  keyAlgorithm: key.algorithm,
})

const hostsSchema = hostsShape.superRefine((environment, context) => {
  for (const { path, message } of clusterProblems(clusterShape(environment))) {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
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

export type { AwsEnvironment } from './aws-environment.ts'
export type HostsEnvironment = z.output<typeof hostsSchema>
export type LocalEnvironment = z.output<typeof localSchema>
export type Environment = z.output<typeof environmentSchema>
