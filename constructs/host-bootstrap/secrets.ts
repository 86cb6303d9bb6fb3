import type { HostDescription } from './description.ts'
import { dnsSecret } from './dns.ts'
import { quote } from './shell.ts'

/*
 * A secret is no part of a script, which may be shown and kept: it stands in a file of its own, in a folder that only
 * the account may read, and the script is given the path of the folder.
 */

/** A secret that ends up as a file of its own on the host. */
export interface SecretFile {
  /** Name of its file in the folder of secrets. */
  readonly name: string
  readonly path: string
  /** `user:group`, who alone reads it. */
  readonly owner: string
}

export const redisGatewaySecret: SecretFile = {
  name: 'redis-gateway',
  path: '/etc/gateway/redis-password',
  owner: 'gateway:gateway',
}
/** Encrypts the certificates that gateways share: 32 bytes in base64. */
export const certificateStoreSecret: SecretFile = {
  name: 'certificate-store',
  path: '/etc/gateway/certificate-store-key',
  owner: 'gateway:gateway',
}
const ofGateway = [redisGatewaySecret, certificateStoreSecret]
export const secretPath = ({ path }: SecretFile) => path

/** Names of the secrets that the script of a host reads. */
export function secretNames({ redis, usesRedis, dns }: HostDescription): string[] {
  const names = [
    ...(usesRedis ? ofGateway.map(({ name }) => name) : []),
    ...(redis ? [redisGatewaySecret.name, 'redis-cluster'] : []),
    ...(dns ? [dnsSecret] : []),
  ]
  return [...new Set(names)]
}

/** Bash that reads secrets, and says which is missing. */
export const readSecrets = (host: HostDescription) =>
  secretNames(host).length === 0
    ? []
    : [
        `secrets=\${1:-}
secret() { # NAME
  [ -s "$secrets/$1" ] || fail "the secret $1 is missing. Run this script with the folder that holds it as its argument"
  cat -- "$secrets/$1"
}
for name in ${secretNames(host).join(' ')}; do secret "$name" >/dev/null; done`,
      ]

/** Bash that puts the secrets of the gateway where it reads them. */
export const putSecrets = ({ usesRedis }: HostDescription) =>
  usesRedis
    ? ofGateway.map(({ name, path, owner }) => `put_file ${quote(path)} 0600 ${owner} < <(secret ${name})`)
    : []

/** Paths of the secrets that the gateway reads when it starts. */
export const gatewaySecretPaths = ({ usesRedis }: HostDescription) =>
  usesRedis ? ofGateway.map(secretPath) : []
