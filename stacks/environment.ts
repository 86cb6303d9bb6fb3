import { isIP } from 'node:net'
import { z } from '@gatehouse/gateway-runtime/config'
import { awsSchema } from './aws-environment.ts'
import { domain, hosted, isDistinct, network } from './environment-parts.ts'

/*
 * environment.yaml: where a gateway is provisioned, and how large. What it does stands beside it, in config.yaml and
 * services.yaml. Every object is strict. The constructs check the values once more, for those who use them directly.
 */

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

export type { AwsEnvironment } from './aws-environment.ts'
export type HostsEnvironment = z.output<typeof hostsSchema>
export type LocalEnvironment = z.output<typeof localSchema>
export type Environment = z.output<typeof environmentSchema>
