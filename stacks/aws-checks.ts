import { overlaps, subnetCidr, usableAddresses } from '../constructs/aws/cidr.ts'
import { architectureOf, hasInstanceStore } from '../constructs/aws/instance-type.ts'
import type { AwsEnvironment, AwsRegion } from './aws-environment.ts'

/*
 * What no provider checks before it is too late: whether the parts of an environment fit together. Each problem names
 * the value that it is about, so that it is shown with its line.
 */

type Path = (string | number)[]
type Report = (path: Path, message: string) => void

interface Issues {
  addIssue(issue: { code: 'custom'; path: Path; message: string }): void
}

/** Checks an environment as a whole; what is wrong goes to the context of zod. */
export function checkAwsEnvironment(environment: AwsEnvironment, context: Issues) {
  const report: Report = (path, message) => context.addIssue({ code: 'custom', path, message })
  for (const { settings, path } of regionsOf(environment)) {
    checkZones(settings, path, report)
    checkAddresses(settings, environment, path, report)
    checkTypes(settings, path, report)
    checkWayOut(settings, environment, path, report)
    checkRedis(settings, environment, path, report)
  }
  checkOverlaps(environment, report)
  checkDomains(environment, report)
  checkGreen(environment, report)
  const { health_check_interval: interval, health_check_threshold: threshold } = environment.load_balancer
  if (environment.load_balancer.deregistration_delay <= interval * threshold) {
    report(
      ['load_balancer', 'deregistration_delay'],
      `expected more than ${interval * threshold} seconds, in which health checks find out that a node leaves (${threshold} × ${interval} s)`,
    )
  }
}

type Region = Omit<AwsRegion, 'nodes'> & { readonly nodes: AwsEnvironment['nodes'] }
interface PlacedRegion {
  readonly settings: Region
  /** Where it stands in the file. */
  readonly path: Path
}

/** The region of the environment, and the further ones with what they have in common. */
export function regionsOf(environment: AwsEnvironment): PlacedRegion[] {
  const { region, zones, network, nodes, further_regions: further } = environment
  return [
    { settings: { region, zones, network, nodes }, path: [] },
    ...further.map((settings, index) => ({
      settings: { ...settings, nodes: settings.nodes ?? nodes },
      path: ['further_regions', index],
    })),
  ]
}

function checkZones({ zones, region }: Region, path: Path, report: Report) {
  for (const [index, zone] of zones.entries()) {
    if (zone.slice(0, -1) !== region) report([...path, 'zones', index], `expected a zone of ${region}`)
  }
}

/** What cannot be computed, since a value is wrong by itself, was reported by the schema. */
function computed<Result>(compute: () => Result): Result | undefined {
  try {
    return compute()
  } catch {
    return undefined
  }
}

/** Addresses that the endpoints of AWS and the load balancer take of a subnet, with some to spare. */
const reserved = 20

/** A subnet must take the nodes of a zone that failed, in the middle of a rolling replacement. */
function checkAddresses(settings: Region, { green, redis }: AwsEnvironment, path: Path, report: Report) {
  const { network, zones, nodes } = settings
  const addresses = (tier: 'private' | 'data') =>
    computed(() => usableAddresses(subnetCidr(network.cidr, zones[0]!, tier))) ?? Number.POSITIVE_INFINITY
  const free = addresses('private') - reserved
  const fleets = green ? 2 : 1
  const each = Math.ceil((nodes.max * 1.2 * fleets) / (zones.length - 1))
  if (each > free) {
    const most = Math.floor((free * (zones.length - 1)) / 1.2 / fleets)
    report(
      [...path, 'nodes', 'max'],
      `expected at most ${most}: while nodes are replaced and a zone is down, a private subnet of ${network.cidr} takes ${each} of them, and has ${free} addresses; take a larger network`,
    )
  }
  const data = addresses('data')
  const copies = Math.ceil((redis.shards * (redis.replicas + 1)) / (zones.length - 1)) + 2
  if (copies > data) {
    report(
      ['redis', 'shards'],
      `expected fewer: with a zone down, a data subnet of ${network.cidr} takes ${copies} nodes of Redis and the database, and has ${data} addresses`,
    )
  }
}

function checkTypes({ nodes }: Region, path: Path, report: Report) {
  const architecture = architectureOf(nodes.instance_types[0]!)
  for (const [index, type] of nodes.instance_types.entries()) {
    const here = [...path, 'nodes', 'instance_types', index]
    if (architectureOf(type) !== architecture) {
      report(
        here,
        `expected a type of ${architecture}, as the first is, since there is one image; ${type} is ${architectureOf(type)}`,
      )
    }
    if (nodes.log_volume === 'nvme' && !hasInstanceStore(type)) {
      report(
        here,
        `expected a type with an NVMe disk of its own, since log_volume is nvme; ${type} has none (c7gd.xlarge has one)`,
      )
    }
  }
  const ofPackage = /_(amd64|arm64)\.deb$/.exec(nodes.package ?? '')?.[1]
  if (ofPackage && ofPackage !== architecture) {
    report(
      [...path, 'nodes', 'package'],
      `expected a package for ${architecture}, as ${nodes.instance_types[0]} is, found one for ${ofPackage}`,
    )
  }
}

function checkWayOut(
  { network, nodes }: Region,
  { certificates }: AwsEnvironment,
  path: Path,
  report: Report,
) {
  if (network.nat !== 'none') return
  const needs: [boolean, Path, string][] = [
    [nodes.internet_ports.length > 0, [...path, 'nodes', 'internet_ports'], 'internet_ports need'],
    [
      nodes.package !== undefined,
      [...path, 'nodes', 'package'],
      'an image is built with packages of Debian, which needs',
    ],
    [certificates === 'acme', ['certificates'], 'acme speaks to an authority on the internet, which needs'],
  ]
  for (const [needed, place, what] of needs) {
    if (needed) report(place, `${what} network.nat: zone; it is none`)
  }
}

function checkRedis({ zones }: Region, { redis }: AwsEnvironment, path: Path, report: Report) {
  if (path.length === 0 && redis.shards * (redis.replicas + 1) > 500) {
    report(
      ['redis', 'shards'],
      `expected at most ${Math.floor(500 / (redis.replicas + 1))} with ${redis.replicas} replicas: a cluster has 500 nodes at most`,
    )
  }
  if (redis.replicas > zones.length - 1) {
    report(
      ['redis', 'replicas'],
      `expected at most ${zones.length - 1} with ${zones.length} zones: a further one shares a zone with another copy of its slots`,
    )
  }
}

function checkOverlaps(environment: AwsEnvironment, report: Report) {
  const regions = regionsOf(environment)
  for (const [index, { settings, path }] of regions.entries()) {
    const { cidr, peers } = settings.network
    for (const [peerIndex, peer] of peers.entries()) {
      if (!peer.includes(':') && computed(() => overlaps(cidr, peer))) {
        report(
          [...path, 'network', 'peers', peerIndex],
          `expected no address of ${cidr}, the network of the VPC`,
        )
      }
    }
    for (const { settings: other } of regions.slice(0, index)) {
      if (!computed(() => overlaps(cidr, other.network.cidr))) continue
      report(
        [...path, 'network', 'cidr'],
        `expected no address of ${other.network.cidr}, the network in ${other.region}`,
      )
    }
    if (regions.findIndex(({ settings: first }) => first.region === settings.region) !== index) {
      report([...path, 'region'], 'expected each region once')
    }
  }
}

function checkDomains({ dns, further_regions: further }: AwsEnvironment, report: Report) {
  for (const [index, name] of dns.domains.entries()) {
    if (name === dns.zone || name.endsWith(`.${dns.zone}`)) continue
    report(['dns', 'domains', index], `expected a name in the zone ${dns.zone}`)
  }
  if (further.length > 0 && dns.routing === undefined) {
    report(['further_regions'], 'several regions need dns.routing: latency or failover')
  }
  if (dns.routing === 'failover' && further.length > 1) {
    report(
      ['dns', 'routing'],
      'expected latency with more than two regions: failover knows a first and a second',
    )
  }
}

function checkGreen({ green, nodes }: AwsEnvironment, report: Report) {
  for (const [index, type] of (green?.instance_types ?? []).entries()) {
    const needed = architectureOf(green?.image ? green.instance_types![0]! : nodes.instance_types[0]!)
    if (architectureOf(type) === needed) continue
    report(['green', 'instance_types', index], `expected a type of ${needed}: the fleet has one image`)
  }
}
