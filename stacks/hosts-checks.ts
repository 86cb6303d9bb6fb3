import { BlockList, isIPv6 } from 'node:net'
import type { Configuration } from '@gatehouse/gateway-runtime/config'
import { clusterProblems, hostsOf } from '../constructs/index.ts'
import { type Misfit, statusMisfits } from './configuration-checks.ts'
import { clusterShape, type HostsEnvironment } from './environment.ts'

/** What does not fit between hosts with edges and the configuration of their gateways. */
export function hostsMisfits(environment: HostsEnvironment, configuration: Configuration): Misfit[] {
  const edges = hostsOf(environment.hosts, 'edge').map(({ address }) => address)
  if (edges.length === 0) return []
  const ingressPorts = configuration.listeners.map(({ port }) => port)
  return [
    ...clusterProblems({ ...clusterShape(environment), host: { ingressPorts } }).map(
      (problem): Misfit => ({ ...problem, of: 'environment' }),
    ),
    ...headerMisfits(configuration),
    ...trustMisfits(configuration, edges),
    ...statusMisfits(configuration),
  ]
}

const headerMisfits = ({ listeners }: Configuration): Misfit[] =>
  listeners.flatMap((listener, index): Misfit[] =>
    listener.proxy_protocol
      ? []
      : [
          {
            of: 'configuration',
            path: ['listeners', index],
            message: 'expected proxy_protocol: true, since edges begin each connection with a PROXY header',
          },
        ],
  )

function trustMisfits({ trusted_proxies: trusted }: Configuration, edges: readonly string[]): Misfit[] {
  const list = new BlockList()
  for (const network of trusted) {
    const [address = '', prefix] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return edges
    .filter((edge) => !list.check(edge, isIPv6(edge) ? 'ipv6' : 'ipv4'))
    .map((edge) => ({
      of: 'configuration',
      path: ['trusted_proxies'],
      message: `expected ${edge} of a host with the role edge among them, or no trusted_proxies: then the edges are`,
    }))
}
