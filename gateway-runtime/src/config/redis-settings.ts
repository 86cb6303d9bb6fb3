import { z } from 'zod'
import { awsRegion } from './aws-region.ts'
import { duration } from './duration.ts'

const serverAddress = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/, 'expected host:port, such as 10.0.3.10:6379')
  .refine((text) => Number(/:(\d+)$/.exec(text)?.[1] ?? 6_379) <= 65_535, 'expected a port from 1 to 65535')

const pem = z.string().min(1).max(1_048_576)

/** How a node reaches the Redis Cluster. Read when the gateway starts. */
export const redisSchema = z
  .strictObject({
    cluster: z
      .array(serverAddress)
      .min(1)
      .max(64)
      .describe(
        'Some servers of the cluster, host:port (port 6379 where it is left out); they name the others.',
      ),
    username: z.string().min(1).max(256).optional().describe('User of the access control list (ACL).'),
    password: z
      .string()
      .min(1)
      .max(4_096)
      .optional()
      .describe('Password, best by a reference to a file or variable. Never shown or logged.'),
    aws_iam: z
      .strictObject({
        cache: z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,49}$/, 'expected the name of a cluster in ElastiCache, lower-case')
          .describe('Name of the replication group in ElastiCache.'),
        region: awsRegion,
      })
      .optional()
      .describe(
        'Shows ElastiCache a token of the IAM role of the node in place of a password, renewed before it expires.',
      ),
    tls: z
      .strictObject({
        ca: pem.optional().describe('PEM file with the authorities of the servers; those of the system.'),
        certificate: pem.optional().describe('PEM file with the certificate that the servers are shown.'),
        key: pem.optional().describe('PEM file with its private key.'),
        server_name: z
          .string()
          .min(1)
          .max(253)
          .optional()
          .describe('Name that certificates of all servers must have; the host that each is reached by.'),
      })
      .refine((tls) => (tls.certificate === undefined) === (tls.key === undefined), {
        message: 'certificate and key go together',
      })
      .optional()
      .describe('Speaks TLS to the servers, with these settings; `tls: {}` for the defaults.'),
    prefix: z
      .string()
      .regex(/^[\w.:-]{1,64}$/, 'expected 1 to 64 letters, digits, "_", ".", ":" or "-"')
      .default('gatehouse')
      .describe('First part of all keys: gateways that share a Redis and a prefix share their limits.'),
    connect_timeout: duration.default(1_000).describe('Time to connect to a server.'),
    timeout: duration
      .default(200)
      .describe('Time for an answer; past it a command has failed, and the server counts as unreachable.'),
  })
  .refine(
    ({ username, password, aws_iam }) =>
      aws_iam
        ? username !== undefined && password === undefined
        : username === undefined || password !== undefined,
    { path: ['username'], message: 'a username goes with a password or with aws_iam, and aws_iam with it' },
  )
  .refine(({ aws_iam, tls }) => !aws_iam || tls, {
    path: ['aws_iam'],
    message: 'ElastiCache takes IAM tokens over TLS only: give tls: {} too',
  })

export type RedisSettings = z.output<typeof redisSchema>
