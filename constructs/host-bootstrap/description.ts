import { isIP, isIPv4, isIPv6 } from 'node:net'
import { type DnsRecords, dnsProblems } from './dns.ts'
import { type EdgeRole, edgeProblems } from './edge.ts'
import { type RedisRole, redisProblems } from './redis.ts'

/** A signed apt repository that holds the package `gateway-runtime`. */
export interface AptRepository {
  /** Base address: `https://packages.example.com/debian`. With http, the signature alone says what is genuine. */
  readonly url: string
  /**
   * Suite of the repository.
   * @default 'stable'
   */
  readonly suite?: string
  /**
   * Component of the suite.
   * @default 'main'
   */
  readonly component?: string
  /** Public key of the repository, ASCII-armoured. A repository without one is never trusted. */
  readonly signingKey: string
  /**
   * Version of `gateway-runtime` that hosts have.
   * @default the newest when a host is set up; it then stays
   */
  readonly version?: string
}

/** What the firewall lets one client have; past it new connections are reset, or dropped where they come too fast. */
export interface ClientLimits {
  /** Open at once. */
  readonly connections: number
  /** A second, after a burst of twice as many. */
  readonly newPerSecond: number
}

/** What a host is to be, in one role or several: everything that `renderHostBootstrap` needs to know. */
export interface HostDescription {
  /**
   * Configuration files by name (`config.yaml`, `services.yaml`), as people wrote them; put into /etc/gateway.
   * @default none: the host runs no gateway
   */
  readonly configuration?: Readonly<Record<string, string>>
  /**
   * TCP ports of the gateway's listeners, open to everyone, or to `edges` where there are some.
   * @default [80, 443]
   */
  readonly ingressPorts?: readonly number[]
  /**
   * Networks (CIDR, IPv4 or IPv6) of services in a mesh that may reach sidecars of this host, on 10000 to 15000.
   * @default [] nobody
   */
  readonly meshNetworks?: readonly string[]
  /**
   * How much of what is open to everyone one client may take: an address, of IPv6 its first 64 bits.
   * @default 4,000 connections, 400 new ones a second; none on AWS, where a load balancer may stand for all clients
   */
  readonly clientLimits?: ClientLimits
  /**
   * IP addresses of the load balancers in front: the gateway's listeners and health open to them alone.
   * @default [] none, clients come themselves
   */
  readonly edges?: readonly string[]
  /**
   * Whether the gateway shows Redis the secret `redis-gateway`, from its file /etc/gateway/redis-password.
   * @default false
   */
  readonly usesRedis?: boolean
  /** @default none: the host is no edge */
  readonly edge?: EdgeRole
  /** @default none: the host writes no records */
  readonly dns?: DnsRecords
  /** @default none: the host has no server of Redis */
  readonly redis?: RedisRole
  /**
   * Networks (CIDR, IPv4 or IPv6) that may reach SSH and the admin API on 8444.
   * @default [] nobody
   */
  readonly managementNetworks?: readonly string[]
  /**
   * Networks (CIDR, IPv4 or IPv6) that may reach metrics and health on 9090.
   * @default [] nobody
   */
  readonly monitoringNetworks?: readonly string[]
  /**
   * TCP port of SSH.
   * @default 22
   */
  readonly sshPort?: number
  /**
   * Where `gateway-runtime` is installed from.
   * @default none: the package must be in the image already, or the bootstrap stops with that reason
   */
  readonly aptRepository?: AptRepository
  /**
   * Block device for /var/log/gateway: a path below /dev, or 'auto' for the first blank NVMe disk. A device that
   * holds data is never formatted. From 80 % on its oldest rotated logs are deleted, so that it never fills up.
   * @default none: logs stay on the root file system
   */
  readonly logDevice?: string
  /**
   * For an EC2 instance: tells its auto scaling group that it is ready, drains before it leaves, and, where asked,
   * follows the configuration that its tag `gateway-configuration` (bucket/key) leads to in place of `configuration`.
   * @default none: the host is no instance
   */
  readonly aws?: { readonly followConfiguration: boolean }
}

/** A file on a host. */
export interface HostFile {
  readonly path: string
  /** Octal: `0644`. */
  readonly mode: string
  /** `user:group`. */
  readonly owner: string
  readonly content: string
}

export const configurationDirectory = '/etc/gateway'
export const logDirectory = '/var/log/gateway'
export const serviceUser = 'gateway'
export const serviceUnit = 'gateway-service.service'
export const packageName = 'gateway-runtime'
export const program = '/usr/bin/gateway'
export const adminPort = 8001
export const adminTlsPort = 8444
export const statusPort = 9090

/** Whether a text is a network in CIDR notation, IPv4 or IPv6. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return false
  return (isIPv4(address) && Number(prefix) <= 32) || (isIPv6(address) && Number(prefix) <= 128)
}

/** Whether a gateway runs on a host: also where nothing else is said of it. */
export const isGateway = ({ configuration, edge, redis }: Partial<HostDescription>) =>
  configuration !== undefined || !(edge ?? redis)

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535

/** All that is wrong with a description, one sentence each; empty when nothing is. */
export function problemsOf(host: HostDescription): string[] {
  const problems: string[] = []
  const require = (holds: boolean | undefined, problem: string) => {
    if (!holds) problems.push(problem)
  }
  for (const [name, content] of Object.entries(host.configuration ?? {})) {
    require(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.ya?ml$/.test(
      name,
    ), `configuration: expected file names such as config.yaml, got ${JSON.stringify(name)}`)
    require(!content.includes('\0'), `configuration ${name}: a text file has no NUL byte`)
  }
  require(!isGateway(host) ||
    host.aws?.followConfiguration ||
    'config.yaml' in (host.configuration ?? {}), 'configuration: config.yaml is missing')
  for (const edge of host.edges ?? []) {
    require(isIP(edge) !== 0, `edges: expected an IP address, got ${JSON.stringify(edge)}`)
  }
  problems.push(
    ...limitProblems(host.clientLimits),
    ...(host.edge ? edgeProblems(host.edge) : []),
    ...(host.redis ? redisProblems(host.redis) : []),
    ...(host.dns ? dnsProblems(host.dns) : []),
  )
  const ports = host.ingressPorts ?? []
  for (const port of ports) require(isPort(port), `ingressPorts: expected 1 to 65535, got ${port}`)
  require(host.ingressPorts === undefined ||
    ports.length > 0, 'ingressPorts: expected at least one port, got none')
  require(isPort(host.sshPort ?? 22), `sshPort: expected 1 to 65535, got ${host.sshPort}`)
  for (const key of ['managementNetworks', 'monitoringNetworks', 'meshNetworks'] as const) {
    for (const network of host[key] ?? []) {
      require(isNetwork(
        network,
      ), `${key}: expected a network such as 10.0.0.0/8, got ${JSON.stringify(network)}`)
    }
  }
  require(host.logDevice === undefined ||
    host.logDevice === 'auto' ||
    isDevice(
      host.logDevice,
    ), `logDevice: expected 'auto' or a path below /dev, got ${JSON.stringify(host.logDevice)}`)
  return host.aptRepository ? [...problems, ...aptProblems(host.aptRepository)] : problems
}

const limitProblems = (limits: Partial<ClientLimits> = {}): string[] =>
  Object.entries(limits)
    .filter(([, value]) => !Number.isInteger(value) || value < 1 || value > 1_000_000)
    .map(([key, value]) => `clientLimits.${key}: expected 1 to 1000000, got ${value}`)

/** Whether a text is a version as dpkg takes it (deb-version(7)), without an epoch. */
export const isPackageVersion = (text: string) => /^\d[A-Za-z0-9.+~-]{0,63}$/.test(text)

const isDevice = (path: string) =>
  /^\/dev\/[A-Za-z0-9._:@+=/-]{1,200}$/.test(path) && !path.split('/').includes('..')

function aptProblems(repository: AptRepository): string[] {
  const { url, suite = 'stable', component = 'main', signingKey, version } = repository
  const problems: string[] = []
  if (!/^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?(\/[A-Za-z0-9._~/-]*)?$/.test(url)) {
    problems.push(
      `aptRepository.url: expected an http or https address without query, got ${JSON.stringify(url)}`,
    )
  }
  if (version !== undefined && !isPackageVersion(version)) {
    problems.push(`aptRepository.version: expected a version such as 1.2.3, got ${JSON.stringify(version)}`)
  }
  for (const [key, value] of Object.entries({ suite, component })) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$/.test(value)) {
      problems.push(
        `aptRepository.${key}: expected letters, digits, ".", "-", "/", got ${JSON.stringify(value)}`,
      )
    }
  }
  if (
    !/^-----BEGIN PGP PUBLIC KEY BLOCK-----\n[\x20-\x7e\n]+\n-----END PGP PUBLIC KEY BLOCK-----\n?$/.test(
      signingKey,
    )
  ) {
    problems.push('aptRepository.signingKey: expected an ASCII-armoured PGP public key')
  }
  return problems
}
