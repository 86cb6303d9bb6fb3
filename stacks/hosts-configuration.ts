import { hostsOf, redisServers, redisSettings, says } from '../constructs/index.ts'
import type { HostsEnvironment } from './environment.ts'

/**
 * What hosts add to the configuration of their gateways: PROXY headers are taken from the edges, unless a file says
 * whose are.
 */
export function withEdges(
  files: ReadonlyMap<string, string>,
  { hosts }: HostsEnvironment,
): Map<string, string> {
  const edges = hostsOf(hosts, 'edge').map(({ address }) => `'${address}'`)
  if (edges.length === 0 || says(Object.fromEntries(files), 'trusted_proxies')) return new Map(files)
  const text = `# Made by the deployment.\ntrusted_proxies: [${edges.join(', ')}]\n`
  return new Map([...files, ['gatehouse-edges.yaml', text]])
}

/** The same with the settings of Redis, which nodes get too, but for the secrets: they are on the nodes alone. */
export function withRedis(
  files: ReadonlyMap<string, string>,
  { hosts }: HostsEnvironment,
): Map<string, string> {
  const servers = redisServers(hostsOf(hosts, 'redis'))
  if (servers.length === 0) return new Map(files)
  const sharesCertificates = !says(Object.fromEntries(files), 'certificate_store')
  const anyKey = Buffer.alloc(32).toString('base64')
  const text = redisSettings(servers, sharesCertificates).replaceAll(/\$\{file:[^}]*\}/g, anyKey)
  return new Map([...files, ['gatehouse-redis.yaml', text]])
}
