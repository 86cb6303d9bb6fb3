import { bold, dim } from '../terminal/style.ts'
import { table } from '../terminal/table.ts'
import { type Cost, costOf, sum } from './cost.ts'
import { notesOn } from './notes.ts'
import type { Prices } from './prices.ts'
import type { StackGraph, StackResource } from './stack-graph.ts'

/** A part of a gateway, as people think of it. */
export interface PlannedPart {
  readonly title: string
  readonly what: string
  /** Kind of resource → how many. */
  readonly resources: Readonly<Record<string, number>>
  readonly cost: Cost
}

/** What would be created for an environment in one region. */
export interface Plan {
  readonly stack: string
  readonly region: string | undefined
  readonly resources: number
  readonly parts: readonly PlannedPart[]
  readonly cost: Cost
  /** What to know before it is deployed: images without packages, quotas that new accounts run into. */
  readonly notes: readonly string[]
}

type Group = readonly StackResource[]
const count = (group: Group, type: string) => group.filter((resource) => resource.type === type).length
const one = (group: Group, type: string) => group.find((resource) => resource.type === type)?.arguments

/** Parts in the order in which a request meets them: id of the construct → title and what it is. */
const parts: Readonly<Record<string, readonly [title: string, what: (group: Group) => string]>> = {
  dns: ['DNS', (group) => `${names(group, 'aws_route53_record')}`],
  'virtual-ip': ['Virtual IPs', (group) => `${count(group, 'aws_eip')} static addresses, one a zone`],
  'load-balancer': [
    'Load balancer',
    (group) =>
      `TCP ${group
        .filter(({ type }) => type === 'aws_lb_listener')
        .map(({ arguments: { port } }) => port as number)
        .sort((a, b) => a - b)
        .join(', ')}, with access logs`,
  ],
  network: ['Network', describeNetwork],
  fleet: ['Nodes', describeFleet],
  'green-fleet': ['Nodes, second fleet', describeFleet],
  redis: ['Redis', describeRedis],
  database: [
    'Database',
    (group) => `Postgres on ${one(group, 'aws_db_instance')?.instance_class ?? 'RDS'}, two zones`,
  ],
  configuration: [
    'Configuration',
    (group) => `${count(group, 'aws_s3_object')} objects in a bucket that nodes follow`,
  ],
  certificates: ['Certificates', (group) => `${count(group, 'aws_secretsmanager_secret')} secrets`],
  image: ['Image', () => 'built of the package on deployment'],
  observability: ['Logs and metrics', (group) => `${count(group, 'aws_cloudwatch_log_group')} log groups`],
  alerts: [
    'Alerts',
    (group) =>
      `${count(group, 'aws_sns_topic')} topics, ${count(group, 'aws_sns_topic_subscription')} subscriptions`,
  ],
  dashboard: ['Dashboard', () => 'traffic, errors, latency, saturation'],
  budget: ['Budget', (group) => `${one(group, 'aws_budgets_budget')?.limit_amount} a month`],
  key: ['Key', () => 'one customer key for everything, rotated yearly'],
}
const order = Object.keys(parts)

const names = (group: Group, type: string) =>
  [
    ...new Set(group.filter((resource) => resource.type === type).map(({ arguments: { name } }) => name)),
  ].join(', ')

function describeNetwork(group: Group): string {
  const nat = count(group, 'aws_nat_gateway')
  const way = nat > 0 ? `${nat} NAT gateways` : 'no way out but endpoints'
  return `${one(group, 'aws_vpc')?.cidr_block}, ${count(group, 'aws_subnet')} subnets, ${way}, ${count(group, 'aws_vpc_endpoint')} endpoints`
}

function describeFleet(group: Group): string {
  const fleet = one(group, 'aws_autoscaling_group')
  const types = fleet?.mixed_instances_policy.launch_template.override
    .map(({ instance_type: type }: { instance_type: string }) => type)
    .join(' or ')
  return `${fleet?.min_size} to ${fleet?.max_size} × ${types}`
}

function describeRedis(group: Group): string {
  const redis = one(group, 'aws_elasticache_replication_group')
  return `${redis?.num_node_groups} shards × ${redis?.replicas_per_node_group + 1} copies on ${redis?.node_type} (${redis?.engine})`
}

/** Groups what a stack would create, and says what it costs by being there. */
export function planOf(graph: StackGraph, prices: Prices): Plan {
  const groups = Map.groupBy(graph.resources, ({ part }) => (part in parts ? part : 'connections'))
  const sorted = [...groups].sort(([a], [b]) => rank(a) - rank(b))
  const planned = sorted.map(([part, group]): PlannedPart => {
    const [title, what] = parts[part] ?? ['Connections', () => 'who may reach whom, and the rest']
    const kinds = [...Map.groupBy(group, ({ type }) => type)].sort(([a], [b]) => (a < b ? -1 : 1))
    return {
      title,
      what: what(group),
      resources: Object.fromEntries(kinds.map(([type, all]) => [type, all.length])),
      cost: sum(group.map((resource) => costOf(resource, prices, graph))),
    }
  })
  return {
    stack: graph.name,
    region: graph.region,
    resources: graph.resources.length,
    parts: planned,
    cost: sum(planned.map(({ cost }) => cost)),
    notes: notesOn(graph),
  }
}

const rank = (part: string) => (order.includes(part) ? order.indexOf(part) : order.length)

const dollars = ({ least, most }: Cost) => {
  const round = (amount: number) =>
    amount < 10 ? amount.toFixed(2) : Math.round(amount).toLocaleString('en-US')
  if (most === 0) return '·'
  return least === most ? `$${round(least)}` : `$${round(least)} to ${round(most)}`
}

/** A plan for people. */
export function renderPlan(plan: Plan, prices: Prices): string {
  const rows = plan.parts.map(({ title, what, resources, cost }) => [
    title,
    String(Object.values(resources).reduce((total, each) => total + each, 0)),
    dollars(cost),
    what,
  ])
  const total = ['(all)', String(plan.resources), dollars(plan.cost), '']
  const others = plan.region === prices.region ? '' : ` of ${prices.region}; those of ${plan.region} differ`
  return [
    `  ${bold(plan.stack)}${plan.region ? ` in ${plan.region}` : ''}`,
    '',
    table(['part', 'resources', 'a month', 'what'], [...rows, total]),
    '',
    `  ${dim(`Bounds by list prices of ${prices.date}${others}, in ${prices.currency}: fewest to most nodes. Traffic comes on top:`)}`,
    ...Object.entries(prices.traffic).map(([what, amount]) => `  ${dim(`$${amount} ${what}`)}`),
    ...plan.cost.unknown.map(
      (type) => `  ${type}: not in the price table, and in no bound (scripts/plan/prices.yaml)`,
    ),
    ...plan.notes.map((note) => `  ${note}`),
    '',
  ].join('\n')
}
