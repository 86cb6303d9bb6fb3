import type { Prices } from './prices.ts'
import type { StackGraph, StackResource } from './stack-graph.ts'

/** US dollars a month: with as little of it as there may be, and with as much. */
export interface Cost {
  readonly least: number
  readonly most: number
  /** Types whose price the table does not have; they are in neither bound. */
  readonly unknown: readonly string[]
}

const hours = 730
export const free: Cost = { least: 0, most: 0, unknown: [] }

export const sum = (costs: readonly Cost[]): Cost => ({
  least: costs.reduce((total, { least }) => total + least, 0),
  most: costs.reduce((total, { most }) => total + most, 0),
  unknown: [...new Set(costs.flatMap(({ unknown }) => unknown))].sort(),
})

const fixed = (amount: number): Cost => ({ least: amount, most: amount, unknown: [] })
const hourly = (amount: number): Cost => fixed(amount * hours)

type CostOf = (resource: StackResource, prices: Prices, graph: StackGraph) => Cost

/** Kinds of resources that cost something by being there. */
const costs: Readonly<Record<string, CostOf>> = {
  aws_autoscaling_group: fleetCost,
  aws_cloudwatch_composite_alarm: () => fixed(0.5),
  aws_cloudwatch_dashboard: (_, prices) => fixed(prices.dashboard),
  aws_cloudwatch_log_metric_filter: (_, prices) => fixed(prices.custom_metric),
  aws_cloudwatch_metric_alarm: (_, prices) => fixed(prices.alarm),
  aws_db_instance: ({ arguments: database }, prices) =>
    known(prices.databases, database.instance_class, (hour) => {
      const storage = prices.database_gib * database.allocated_storage
      const grown = prices.database_gib * (database.max_allocated_storage ?? database.allocated_storage)
      return { least: hour * hours + storage, most: hour * hours + grown, unknown: [] }
    }),
  aws_eip: (_, prices) => hourly(prices.public_address),
  aws_elasticache_replication_group: ({ arguments: redis }, prices) =>
    known(prices.redis_nodes, redis.node_type, (hour) =>
      hourly(
        hour *
          (redis.engine === 'valkey' ? 0.8 : 1) *
          redis.num_node_groups *
          (redis.replicas_per_node_group + 1),
      ),
    ),
  aws_kms_key: (_, prices) => fixed(prices.key),
  aws_lb: (_, prices) => hourly(prices.load_balancer),
  aws_nat_gateway: (_, prices) => hourly(prices.nat_gateway),
  aws_route53_health_check: (_, prices) => fixed(prices.health_check),
  aws_route53_zone: (_, prices) => fixed(prices.hosted_zone),
  aws_secretsmanager_secret: (_, prices) => fixed(prices.secret),
  aws_vpc_endpoint: ({ arguments: endpoint }, prices) =>
    endpoint.vpc_endpoint_type === 'Interface'
      ? hourly(prices.interface_endpoint * endpoint.subnet_ids.length)
      : free,
}

/** What a resource costs by being there; what follows traffic is left out. */
export const costOf: CostOf = (resource, prices, graph) =>
  costs[resource.type]?.(resource, prices, graph) ?? free

function known(table: Readonly<Record<string, number>>, type: string, cost: (hour: number) => Cost): Cost {
  const hour = table[type]
  return hour === undefined ? { ...free, unknown: [type] } : cost(hour)
}

/** From the fewest of the cheapest nodes to the most of the dearest, with their volumes. */
function fleetCost({ arguments: group }: StackResource, prices: Prices, graph: StackGraph): Cost {
  const launch = group.mixed_instances_policy.launch_template
  const types: string[] = launch.override.map(({ instance_type: type }: { instance_type: string }) => type)
  const unknown = types.filter((type) => prices.instances[type] === undefined)
  const known = types.flatMap((type) => prices.instances[type] ?? [])
  if (known.length === 0) return { ...free, unknown }
  const id: string = launch.launch_template_specification.launch_template_id
  const template = graph.of('aws_launch_template').find(({ address }) => id.includes(address))
  const volumes: Volume[] = (template?.arguments.block_device_mappings ?? []).map(
    ({ ebs }: { ebs: Volume }) => ebs,
  )
  const each = volumes.reduce(
    (total, volume) => total + volumeCost(volume, prices),
    prices.instance_monitoring,
  )
  return {
    least: group.min_size * (Math.min(...known) * hours + each),
    most: group.max_size * (Math.max(...known) * hours + each),
    unknown,
  }
}

interface Volume {
  readonly volume_size: number
  readonly iops?: number
  readonly throughput?: number
}

const volumeCost = ({ volume_size: size, iops = 3000, throughput = 125 }: Volume, prices: Prices) =>
  size * prices.volume_gib +
  (iops - 3000) * prices.volume_iops +
  (throughput - 125) * prices.volume_throughput
