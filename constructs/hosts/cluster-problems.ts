import { isIP } from 'node:net'
import { dnsProblems } from '../host-bootstrap/index.ts'
import { type ClusterProps, edgePorts, hostsOf } from './cluster.ts'

/** What cannot be, and the value of environment.yaml that it is about. */
export interface ClusterProblem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** The part of a cluster that roles depend on. */
export type ClusterShape = {
  readonly hosts: readonly Pick<ClusterProps['hosts'][number], 'name' | 'address' | 'roles'>[]
} & Pick<ClusterProps, 'edge' | 'host' | 'dns'>

/**
 * Everything that keeps hosts from being a cluster; empty where nothing does.
 * @param shape without `ingressPorts`, ports are not looked at
 */
export const clusterProblems = (shape: ClusterShape): ClusterProblem[] => [
  ...countProblems(shape),
  ...addressProblems(shape),
  ...virtualIpProblems(shape),
  ...portProblems(shape),
  ...dnsShapeProblems(shape),
]

function countProblems({ hosts, edge }: ClusterShape): ClusterProblem[] {
  const [gateways, edges, redis] = (['gateway', 'edge', 'redis'] as const).map(
    (role) => hostsOf(hosts, role).length,
  ) as [number, number, number]
  const vips = edge?.virtualIps.length ?? 0
  const problems: ClusterProblem[] = []
  const add = (isWrong: boolean, path: string[], message: string) => {
    if (isWrong) problems.push({ path, message })
  }
  add(hosts.length > 0 && gateways === 0, ['hosts'], 'expected a host with the role gateway, got none')
  add(
    edges === 1,
    ['hosts'],
    'expected two hosts with the role edge, got one: another must hold the virtual IPs while it fails',
  )
  add(edges > 8, ['hosts'], `expected at most 8 hosts with the role edge, got ${edges}`)
  add(
    redis > 0 && (redis < 3 || redis > 6),
    ['hosts'],
    `expected 3 to 6 hosts with the role redis, got ${redis}: three primaries and three replicas stand on distinct hosts`,
  )
  add(edges > 0 && vips === 0, ['edge'], 'expected edge.virtual_ips, which the edges hold, got none')
  add(
    edges === 0 && vips > 0,
    ['edge'],
    'expected two hosts with the role edge, got none: nobody would hold the virtual IPs',
  )
  return problems
}

function dnsShapeProblems({ dns, edge }: ClusterShape): ClusterProblem[] {
  if (!dns) return []
  if (!edge)
    return [{ path: ['dns'], message: 'expected edge.virtual_ips, which the names lead to, got none' }]
  const addresses = edge.virtualIps.map(({ address }) => address)
  return dnsProblems({ ...dns, addresses }).map((message) => ({ path: ['dns'], message }))
}

/** Firewalls, Redis and HAProxy are told addresses, and one family of them reaches everywhere. */
function addressProblems({ hosts }: ClusterShape): ClusterProblem[] {
  if (hostsOf(hosts, 'edge').length + hostsOf(hosts, 'redis').length === 0) return []
  const family = isIP(hosts[0]!.address)
  return hosts.flatMap(({ name, address }, index): ClusterProblem[] => {
    const path = ['hosts', index, 'address']
    if (isIP(address) === 0) {
      return [
        {
          path,
          message: `${name}: expected an IP address, as edges and Redis are given no names, got ${JSON.stringify(address)}`,
        },
      ]
    }
    if (family !== 0 && isIP(address) !== family) {
      return [
        {
          path,
          message: `${name}: expected an IPv${family} address, as the first host has one, got ${JSON.stringify(address)}`,
        },
      ]
    }
    return hosts.findIndex((other) => other.address === address) < index
      ? [{ path, message: `${name}: expected an address of its own, got ${address} once more` }]
      : []
  })
}

function virtualIpProblems({ hosts, edge }: ClusterShape): ClusterProblem[] {
  const family = isIP(hosts[0]?.address ?? '')
  const taken = new Set(hosts.map(({ address }) => address))
  return (edge?.virtualIps ?? []).flatMap((vip, index): ClusterProblem[] => {
    const path = ['edge', 'virtual_ips', index]
    const problems: ClusterProblem[] = []
    if (isIP(vip.address) !== family && family !== 0) {
      problems.push({
        path,
        message: `expected an IPv${family} address, as the hosts have, got ${JSON.stringify(vip.address)}`,
      })
    }
    if (vip.ipv6 !== undefined && (isIP(vip.ipv6) !== 6 || family === 6)) {
      problems.push({
        path,
        message: `expected ipv6 to be an IPv6 address beside an IPv4 one, got ${JSON.stringify(vip.ipv6)}`,
      })
    }
    for (const address of [vip.address, ...(vip.ipv6 ? [vip.ipv6] : [])]) {
      if (taken.has(address))
        problems.push({ path, message: `expected an address that nothing else has, got ${address}` })
      taken.add(address)
    }
    return problems
  })
}

function portProblems(shape: ClusterShape): ClusterProblem[] {
  const { hosts, host, edge } = shape
  if (host.ingressPorts === undefined || hostsOf(hosts, 'edge').length === 0) return []
  const listeners = new Set(host.ingressPorts)
  const ports = edgePorts(shape)
  const unknown = ports.flatMap(({ gatewayPort }, index): ClusterProblem[] =>
    listeners.has(gatewayPort)
      ? []
      : [
          {
            path: ['edge', 'ports', index],
            message: `expected a port that a listener has (${[...listeners].join(', ')}), got ${gatewayPort}`,
          },
        ],
  )
  const isTwice = new Set(ports.map(({ port }) => port)).size < ports.length
  const both = ports.filter(({ port }) => listeners.has(port)).map(({ port }) => port)
  const shared = hosts
    .map(({ name, roles = ['gateway'] }, index) => ({ name, roles, index }))
    .filter(({ roles }) => both.length > 0 && roles.includes('edge') && roles.includes('gateway'))
    .map(({ name, index }) => ({
      path: ['hosts', index, 'roles'],
      message:
        `${name}: edge and gateway would both listen on ${both.join(' and ')}: give them hosts of their own, ` +
        'or let listeners have other ports, which edge.ports leads to',
    }))
  return [
    ...unknown,
    ...(isTwice && edge?.ports ? [{ path: ['edge', 'ports'], message: 'expected each port once' }] : []),
    ...shared,
  ]
}
