import type { Key } from './encryption-key.ts'
import type { GatewayProps } from './gateway-props.ts'
import type { Redis } from './redis-cluster.ts'

/** How nodes reach Redis, with their role for a password, unless the configuration says how. */
export function redisTemplate(
  { host, port, iamUser }: Redis,
  region: string,
  configuration: GatewayProps['configuration'],
): Record<string, string> {
  if (!iamUser || Object.values(configuration).some((text) => /^redis:/m.test(text))) return {}
  const { name, cache } = iamUser
  return {
    'gatehouse-redis.yaml': `# Made by the deployment.
redis: { cluster: ['${host}:${port}'], username: ${name}, aws_iam: { cache: ${cache}, region: '${region}' }, tls: {} }
`,
  }
}

/** Certificates that one node gets are shared by all, encrypted by the key; unless the configuration says where they are. */
export function certificateTemplate(
  { arn }: Key,
  configuration: GatewayProps['configuration'],
): Record<string, string> {
  if (Object.values(configuration).some((text) => /^certificate_store:/m.test(text))) return {}
  return {
    'gatehouse-certificates.yaml': `# Made by the deployment.
certificate_store: { kind: redis, kms: { key: '${arn}' } }
`,
  }
}
