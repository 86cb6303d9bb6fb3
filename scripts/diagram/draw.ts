import type { StackGraph, StackResource } from '../plan/stack-graph.ts'
import { connectionsOf } from './connections.ts'
import { arrow, type Box, box, picture, type Tone, text } from './svg.ts'

const zoneWidth = 230
const gap = 16
const left = 24
const rows = { clients: 24, vpc: 128, public: 180, private: 340, data: 500, end: 660 } as const

/** What a reviewer sees of a stack: zones and subnets, the parts in them, who reaches whom, and services beside them. */
export function drawStack(graph: StackGraph): string {
  const zones = zonesOf(graph)
  const inner = zones.length * (zoneWidth + gap) - gap
  const vpc: Box = { x: left, y: rows.vpc, width: inner + 2 * gap, height: rows.end - rows.vpc }
  const side = vpc.x + vpc.width + 40
  const content = [
    box({ x: left, y: rows.clients, width: 320, height: 56 }, 'outside', ['Clients', domains(graph)]),
    box(vpc, 'vpc', [`VPC ${graph.of('aws_vpc')[0]?.arguments.cidr_block ?? ''} in ${graph.region ?? '?'}`]),
    ...zones.flatMap((zone, index) => drawZone(graph, zone, left + gap + index * (zoneWidth + gap))),
    ...drawParts(graph, { x: left + 2 * gap, width: inner - 2 * gap }),
    ...drawServices(graph, side),
  ]
  return picture(side + 300, rows.end + 24, `${graph.name}: what is deployed`, content)
}

const zonesOf = (graph: StackGraph): string[] =>
  [
    ...new Set(graph.of('aws_subnet').map(({ arguments: { availability_zone: zone } }) => zone as string)),
  ].sort()

function domains(graph: StackGraph): string {
  const names = [...new Set(graph.of('aws_route53_record').map(({ arguments: { name } }) => name as string))]
  return names.length > 2 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', ')
}

const tiers = ['public', 'private', 'data'] as const

function drawZone(graph: StackGraph, zone: string, x: number): string[] {
  const ofZone = ({ path, arguments: { availability_zone: own } }: StackResource) =>
    own === zone || path.includes(zone)
  const subnets = graph.of('aws_subnet').filter(ofZone)
  const hasNat = graph.of('aws_nat_gateway').some(ofZone)
  return tiers.map((tier) => {
    const cidr = subnets.find(({ arguments: { tags } }) => tags.Name.includes(`-${tier}-`))?.arguments
      .cidr_block
    const nat = tier === 'public' && hasNat ? ' · NAT' : ''
    const area: Box = { x, y: rows[tier], width: zoneWidth, height: 144 }
    return box(area, tier, [`${zone} · ${tier}${nat}`, cidr ?? ''])
  })
}

interface Part {
  readonly part: string
  readonly tier: (typeof tiers)[number]
  readonly lines: readonly string[]
}

/** The parts that stand in the subnets, where the stack has them. */
function partsOf(graph: StackGraph): Part[] {
  const balancers = graph.of('aws_lb').map(({ part }) => ({
    part,
    tier: 'public' as const,
    lines: [
      'Load balancer',
      `${graph.of('aws_eip').filter((eip) => eip.part === 'virtual-ip').length} virtual IPs, TCP passed on`,
    ],
  }))
  const fleets = graph.of('aws_autoscaling_group').map(({ part, arguments: group }) => ({
    part,
    tier: 'private' as const,
    lines: [`Nodes ${group.name}`, `${group.min_size} to ${group.max_size}, TLS ends here`],
  }))
  const redis = graph.of('aws_elasticache_replication_group').map(({ part, arguments: cluster }) => ({
    part,
    tier: 'data' as const,
    lines: [
      `Redis (${cluster.engine})`,
      `${cluster.num_node_groups} shards × ${cluster.replicas_per_node_group + 1} copies`,
    ],
  }))
  const databases = graph.of('aws_db_instance').map(({ part, arguments: database }) => ({
    part,
    tier: 'data' as const,
    lines: ['Postgres', `${database.instance_class}, two zones`],
  }))
  return [...balancers, ...fleets, ...redis, ...databases]
}

/** Each part spans the zones of its tier, beside the others there; arrows follow the firewalls. */
function drawParts(graph: StackGraph, { x, width }: Pick<Box, 'x' | 'width'>): string[] {
  const parts = partsOf(graph)
  const placed = new Map<string, Box>()
  for (const tier of tiers) {
    const here = parts.filter((part) => part.tier === tier)
    const each = (width - gap * (here.length - 1)) / Math.max(here.length, 1)
    for (const [index, { part }] of here.entries()) {
      placed.set(part, { x: x + index * (each + gap), y: rows[tier] + 60, width: each, height: 56 })
    }
  }
  placed.set('clients', { x: left, y: rows.clients, width: 320, height: 56 })
  const boxes = parts.map(({ part, lines }) => box(placed.get(part)!, 'part', lines))
  const taken = new Set<number>()
  const arrows = connectionsOf(graph).flatMap(({ from, to, ports }) => {
    const [start, end] = [placed.get(from), placed.get(to)]
    if (!start || !end || start.y >= end.y) return []
    const at = freeColumn(start, end, taken)
    if (at !== undefined) taken.add(at)
    const isLeft = start.x < end.x
    const startX = at ?? (isLeft ? start.x + start.width - 60 : start.x + 8)
    const endX = at ?? (isLeft ? end.x + 30 : end.x + end.width - 30)
    return [arrow([startX, start.y + start.height], [endX, end.y], `TCP ${ports.join(', ')}`)]
  })
  return [...boxes, ...arrows]
}

/** Where an upright arrow crosses no text: at the right of a zone, within both of what it joins. */
function freeColumn(start: Box, end: Box, taken: ReadonlySet<number>): number | undefined {
  const from = Math.max(start.x, end.x) + 10
  const to = Math.min(start.x + start.width, end.x + end.width) - 10
  for (let zone = left + gap; zone < to; zone += zoneWidth + gap) {
    const column = [180, 200, 220]
      .map((shift) => zone + shift)
      .find((x) => x > from && x < to && !taken.has(x))
    if (column !== undefined) return column
  }
  return undefined
}

/** Services of the region that are used from the subnets. */
function drawServices(graph: StackGraph, x: number): string[] {
  const number = (type: string) => graph.of(type).length
  const endpoints = graph
    .of('aws_vpc_endpoint')
    .map(({ arguments: { service_name: name } }) => String(name).split('}.').at(-1)!)
    .sort()
  const services: [number, Tone, string[]][] = [
    [number('aws_s3_object'), 'service', ['S3: configuration', 'followed by the nodes, versioned']],
    [
      number('aws_secretsmanager_secret'),
      'service',
      ['Secrets Manager', `certificates and accounts: ${number('aws_secretsmanager_secret')}`],
    ],
    [number('aws_kms_key'), 'service', ['KMS', `customer keys: ${number('aws_kms_key')}`]],
    [
      number('aws_cloudwatch_log_group'),
      'service',
      [
        'CloudWatch',
        `${number('aws_cloudwatch_log_group')} log groups, ${number('aws_cloudwatch_metric_alarm')} alarms`,
      ],
    ],
    [number('aws_sns_topic'), 'service', ['SNS', `${number('aws_sns_topic')} topics: page and tell`]],
    [number('aws_imagebuilder_image'), 'service', ['Image Builder', 'the image of the nodes']],
  ]
  const shown = services.filter(([amount]) => amount > 0)
  const boxes = shown.map(([, tone, lines], index) =>
    box({ x, y: rows.vpc + index * 68, width: 276, height: 56 }, tone, lines),
  )
  const below = rows.vpc + shown.length * 68 + 20
  const lines = [0, 4, 8].map((from) => endpoints.slice(from, from + 4).join(', ')).filter(Boolean)
  return [...boxes, text(x, below, ['Reached through endpoints in the VPC:', ...lines])]
}
