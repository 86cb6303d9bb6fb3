import {
  type DnsRecords,
  type EdgeRole,
  type HostDescription,
  type RedisRole,
  type RedisServer,
  redisSettings,
} from '../host-bootstrap/index.ts'

/** What a host does in the cluster. */
export type HostRole = 'edge' | 'gateway' | 'redis'

/** A machine that answers SSH. */
export interface Host {
  /** Names the resource; stays the same when the address changes. */
  readonly name: string
  /** IP address or host name; an IP address where any host has the role edge or redis. */
  readonly address: string
  /**
   * Public key of its SSH server, as in known_hosts: the connection is refused to any other. Terraform asks for the ECDSA
   * key (`ecdsa-sha2-nistp256 AAAA…`) where there is one.
   */
  readonly hostKey: string
  /** @default ['gateway'] */
  readonly roles?: readonly HostRole[]
}

/** Machines, and what each of them is to be. */
export interface ClusterProps {
  /** At least one gateway; two edges at least, or none; 3 to 6 hosts of Redis, or none. */
  readonly hosts: readonly Host[]
  /** What gateways are to be, and the networks and SSH port of all. SSH is reached on its `sshPort`. */
  readonly host: HostDescription
  /** Given where hosts have the role edge. */
  readonly edge?: {
    /**
     * Addresses of which an edge holds each: with one, the other edges wait; with as many as edges, all work. The
     * first edge is the first choice of the first, and so on.
     */
    readonly virtualIps: readonly { readonly address: string; readonly ipv6?: string | undefined }[]
    /**
     * TCP ports of clients, and those of the gateways' listeners that they lead to.
     * @default each port of a listener leads to itself
     */
    readonly ports?: readonly { readonly port: number; readonly gatewayPort: number }[] | undefined
  }
  /**
   * Names that lead to the virtual IPs, and a DNS server that is told so (RFC 2136). Given where hosts have the role
   * edge; the first of them tells it.
   * @default none: the names lead there by other means
   */
  readonly dns?: Omit<DnsRecords, 'addresses'> | undefined
  readonly redis?: {
    /**
     * Most memory of one server, as redis.conf takes it.
     * @default '256mb'
     */
    readonly maxMemory?: string
    /**
     * Raised when the secret changes, which Terraform does not see: hosts are then set up anew.
     * @default 1
     */
    readonly secretVersion?: number
  }
}

/** A host, and all that its bootstrap is to do. */
export interface DescribedHost extends Host {
  readonly description: HostDescription
}

const firstRedisPort = 6_379
const servers = 6
const defaultIngressPorts = [80, 443]

export const rolesOf = ({ roles = ['gateway'] }: Pick<Host, 'roles'>) => roles
export const hostsOf = <Any extends Pick<Host, 'roles'>>(hosts: readonly Any[], role: HostRole) =>
  hosts.filter((host) => rolesOf(host).includes(role))

/** Ports of the edges: those given, else those of the listeners. */
export const edgePorts = ({ edge, host }: Pick<ClusterProps, 'edge' | 'host'>) =>
  edge?.ports ?? (host.ingressPorts ?? defaultIngressPorts).map((port) => ({ port, gatewayPort: port }))

/** Six servers, three primaries and three replicas, spread over the hosts of Redis, one host after the other. */
export function redisServers(hosts: readonly Pick<Host, 'address'>[]): RedisServer[] {
  const { length } = hosts
  if (length === 0) return []
  return Array.from({ length: servers }, (_, index) => ({
    address: hosts[index % length]!.address,
    port: firstRedisPort + Math.floor(index / length),
  }))
}

/** Hosts in the order in which they are set up: those of Redis, gateways, edges. */
export function describeHosts(cluster: ClusterProps): DescribedHost[] {
  const { hosts } = cluster
  const rank = (host: Host) =>
    (['redis', 'gateway', 'edge'] as const).findIndex((role) => rolesOf(host).includes(role))
  return hosts
    .map((host) => ({ ...host, description: describe(host, cluster) }))
    .sort((one, other) => rank(one) - rank(other))
}

function describe(host: Host, cluster: ClusterProps): HostDescription {
  const { sshPort, managementNetworks, clientLimits } = cluster.host
  const roles = rolesOf(host)
  return {
    ...(roles.includes('gateway') ? describeGateway(cluster) : {}),
    ...(sshPort !== undefined && { sshPort }),
    ...(managementNetworks && { managementNetworks }),
    ...(clientLimits && { clientLimits }),
    ...(roles.includes('edge') && { edge: describeEdge(host, cluster) }),
    ...dnsOf(host, cluster),
    ...(roles.includes('redis') && { redis: describeRedis(host, cluster) }),
  }
}

function describeGateway({ hosts, host }: ClusterProps): HostDescription {
  const ofRedis = redisServers(hostsOf(hosts, 'redis'))
  const edges = hostsOf(hosts, 'edge').map(({ address }) => address)
  return {
    ...host,
    ...(edges.length > 0 && { edges }),
    ...(ofRedis.length > 0 && {
      usesRedis: true,
      configuration: {
        ...host.configuration,
        'gatehouse-redis.yaml': redisSettings(ofRedis, !says(host.configuration, 'certificate_store')),
      },
    }),
  }
}

function dnsOf({ name }: Host, { hosts, edge, dns }: ClusterProps): Pick<HostDescription, 'dns'> {
  if (!dns || !edge || hostsOf(hosts, 'edge')[0]?.name !== name) return {}
  const addresses = edge.virtualIps.flatMap(({ address, ipv6 }) => [address, ...(ipv6 ? [ipv6] : [])])
  return { dns: { ...dns, addresses } }
}

/** Whether a file has a setting of this name at its top. */
export const says = (configuration: Readonly<Record<string, string>> = {}, name: string) =>
  Object.values(configuration).some((text) => new RegExp(`^${name}:`, 'm').test(text))

function describeEdge({ name, address }: Host, cluster: ClusterProps): EdgeRole {
  const edges = hostsOf(cluster.hosts, 'edge')
  const own = edges.findIndex((edge) => edge.name === name)
  return {
    address,
    peers: edges.map((edge) => edge.address).filter((peer) => peer !== address),
    // The first choice of an address goes round, and so does the order of the others.
    virtualIps: (cluster.edge?.virtualIps ?? []).map(({ address: vip, ipv6 }, index) => ({
      address: vip,
      ...(ipv6 && { ipv6 }),
      priority: 200 - 10 * ((own - index + edges.length * 16) % edges.length),
    })),
    gateways: hostsOf(cluster.hosts, 'gateway').map((gateway) => ({
      name: gateway.name,
      address: gateway.address,
    })),
    ports: edgePorts(cluster),
  }
}

function describeRedis({ name, address }: Host, { hosts, redis }: ClusterProps): RedisRole {
  const ofRedis = hostsOf(hosts, 'redis')
  const all = redisServers(ofRedis)
  return {
    address,
    ports: all.filter((server) => server.address === address).map(({ port }) => port),
    servers: all,
    clients: hostsOf(hosts, 'gateway').map((gateway) => gateway.address),
    makesCluster: ofRedis.at(-1)?.name === name,
    ...(redis?.maxMemory && { maxMemory: redis.maxMemory }),
  }
}
