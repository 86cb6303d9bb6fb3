import type { Construct } from 'constructs'
import { Alarm, type AlarmTopics } from './alarm.ts'
import { awsName } from './names.ts'

/** More nodes than this are watched by memory of the cluster alone, so that a large one does not cost by its alarms. */
const watchedNodes = 30

/** Alarms for each node: CPU, memory, evictions, lag of replicas. */
export function createRedisAlarms(
  scope: Construct,
  options: { name: string; shards: number; replicas: number; topics: AlarmTopics | undefined },
) {
  const { name, shards, replicas, topics } = options
  const nodes = Array.from({ length: shards }, (_, shard) =>
    Array.from(
      { length: replicas + 1 },
      (_, node) =>
        [`${String(shard + 1).padStart(4, '0')}-${String(node + 1).padStart(3, '0')}`, node > 0] as const,
    ),
  ).flat()
  for (const [node, isReplica] of nodes.slice(0, watchedNodes)) {
    const id = `${awsName(40, name)}-${node}`
    const alarm = (
      kind: string,
      settings: { metric: string; threshold: number; description: string; severity: 'page' | 'tell' },
    ) =>
      new Alarm(scope, `redis-${kind}-${node}`, {
        name,
        topics,
        severity: settings.severity,
        description: settings.description,
        metric: {
          namespace: 'AWS/ElastiCache',
          name: settings.metric,
          dimensions: { CacheClusterId: id },
          statistic: 'Average',
        },
        comparison: '>',
        threshold: settings.threshold,
        periods: 5,
      })
    alarm('cpu', {
      metric: 'EngineCPUUtilization',
      threshold: 80,
      severity: 'page',
      description: `Redis node ${id} is at its CPU: add shards, or limits with fewer counters`,
    })
    alarm('memory', {
      metric: 'DatabaseMemoryUsagePercentage',
      threshold: 80,
      severity: 'tell',
      description: `Redis node ${id} is nearly full: take a larger node type or more shards`,
    })
    if (!isReplica) continue
    alarm('lag', {
      metric: 'ReplicationLag',
      threshold: 5,
      severity: 'tell',
      description: `Redis replica ${id} is seconds behind: a failover now would forget counts`,
    })
  }
}
