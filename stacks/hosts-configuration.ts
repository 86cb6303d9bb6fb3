import { hostsOf, redisServers, redisSettings, says } from '../constructs/index.ts'
import type { HostsEnvironment } from './environment.ts'

/**
 * What hosts add to the configuration of their gateways, unless a file says it: PROXY headers are taken from the edges;
 * and a gateway that stops takes connections until edges, which look twice a second, have seen it twice.
 */
export function withEdges(
  files: ReadonlyMap<string, string>,
  { hosts }: HostsEnvironment,
): Map<string, string> {
  const edges = hostsOf(hosts, 'edge').map(({ address }) => `'${address}'`)
  const isOpen = (name: string) => !says(Object.fromEntries(files), name)
  const settings = [
    ...(isOpen('trusted_proxies') ? [`trusted_proxies: [${edges.join(', ')}]\n`] : []),
    ...(isOpen('limits') ? ['limits: { drain_delay: 2s }\n'] : []),
  ]
  if (edges.length === 0 || settings.length === 0) return new Map(files)
  return new Map([...files, ['gatehouse-edges.yaml', `# Made by the deployment.\n${settings.join('')}`]])
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
