import { hostsOf, redisServers, redisSettings } from '../constructs/index.ts'
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
  const isSaid = [...files.values()].some((text) => /^trusted_proxies:/m.test(text))
  if (edges.length === 0 || isSaid) return new Map(files)
  const text = `# Made by the deployment.\ntrusted_proxies: [${edges.join(', ')}]\n`
  return new Map([...files, ['gatehouse-edges.yaml', text]])
}

/** The same with the settings of Redis, which nodes get too, but for the password: it is on the nodes alone. */
export function withRedis(
  files: ReadonlyMap<string, string>,
  { hosts }: HostsEnvironment,
): Map<string, string> {
  const servers = redisServers(hostsOf(hosts, 'redis'))
  if (servers.length === 0) return new Map(files)
  const text = redisSettings(servers).replace(/\$\{file:[^}]*\}/, 'on-the-node')
  return new Map([...files, ['gatehouse-redis.yaml', text]])
}
