import { pluginsOf } from '../config/plugin-chain.ts'
import type { Snapshot } from '../config/snapshot.ts'
import { circuitStates, readCircuit } from '../data-plane/upstreams/circuit-breaker.ts'
import { healthStates, TargetHealth } from '../data-plane/upstreams/health.ts'
import type { PluginMetric } from '../plugins/contract.ts'
import { plugins } from '../plugins/registry.ts'
import type { ExportState } from '../telemetry/export/log-exporter.ts'
import { readPluginCounters } from '../telemetry/plugin-counters.ts'
import type { CertificateState } from './certificates/certificate-state.ts'
import type { NameState } from './dns/followed-name.ts'
import { isWatched } from './health-checks/health-checks.ts'
import { MetricsText } from './metrics-writer.ts'
import { redisStates } from './redis/redis.ts'
import type { RedisFacts } from './redis/redis-connection.ts'
import type { SharedMemoryAllocator } from './shared-memory.ts'
import { renderRoutes, renderTraffic, type Sum } from './traffic-metrics.ts'

/** What a scrape shows besides the workers' counters. */
export interface NodeFacts {
  readonly version: string
  readonly workers: number
  readonly workerRestarts: number
  readonly reloads: { readonly accepted: number; readonly rejected: number; readonly lastSucceeded: boolean }
  /** What is known of the names of targets. */
  readonly names: ReadonlyMap<string, NameState>
  /** Undefined where no Redis is configured. */
  readonly redis: (RedisFacts & { readonly nodes: number }) | undefined
  /** Those that the gateway orders itself. */
  readonly certificates: readonly CertificateState[]
  readonly logExports: readonly ExportState[]
  /** What plugins add. */
  readonly plugins: readonly PluginMetric[]
}

/** The metrics of a node in Prometheus' text format (version 0.0.4): sums over the memory of all workers. */
export function renderMetrics(
  memory: SharedMemoryAllocator,
  snapshot: Snapshot | undefined,
  facts: NodeFacts,
): string {
  const workers = memory.metrics.map((buffer) => new Float64Array(buffer))
  const sum: Sum = (offset) => {
    let total = 0
    for (const values of workers) total += values[offset]!
    return total
  }
  const text = new MetricsText()
  renderNode(text, snapshot, facts)
  renderTraffic(text, sum)
  renderNames(text, facts.names)
  if (facts.redis) renderRedis(text, facts.redis)
  if (facts.certificates.length > 0) renderCertificates(text, facts.certificates)
  if (facts.logExports.length > 0) renderLogExports(text, facts.logExports)
  if (snapshot) {
    renderRoutes(text, snapshot, memory.metricBlocks, sum)
    renderCircuits(text, snapshot, memory)
    renderHealth(text, snapshot, memory)
    renderPlugins(text, snapshot, memory)
  }
  for (const { name, type, help, samples } of facts.plugins) {
    text.family(name, type, help)
    for (const { suffix = '', labels, value } of samples) text.sample(`${name}${suffix}`, labels, value)
  }
  return text.toString()
}

function renderNode(text: MetricsText, snapshot: Snapshot | undefined, facts: NodeFacts): void {
  text.family('info', 'gauge', 'Version of the gateway.')
  text.sample('info', { version: facts.version }, 1)
  text.family('config_info', 'gauge', 'Hash of the configuration in force.')
  if (snapshot) text.sample('config_info', { hash: snapshot.version }, 1)
  text.family('config_reloads_total', 'counter', 'Configurations that were read.')
  text.sample('config_reloads_total', { result: 'accepted' }, facts.reloads.accepted)
  text.sample('config_reloads_total', { result: 'rejected' }, facts.reloads.rejected)
  const succeeded = Number(facts.reloads.lastSucceeded)
  text.single(
    'config_last_reload_success',
    'gauge',
    'Whether the last configuration was accepted.',
    succeeded,
  )
  text.single('workers', 'gauge', 'Worker threads.', facts.workers)
  text.single('worker_restarts_total', 'counter', 'Workers that were replaced.', facts.workerRestarts)
  const { rss } = process.memoryUsage()
  text.single('process_resident_memory_bytes', 'gauge', 'Resident memory of the process.', rss)
  const { user, system } = process.cpuUsage()
  text.single('process_cpu_seconds_total', 'counter', 'CPU time of the process.', (user + system) / 1e6)
}

function renderPlugins(text: MetricsText, snapshot: Snapshot, memory: SharedMemoryAllocator): void {
  text.family('plugin_events_total', 'counter', 'What plugins count, each its own events.')
  const named = new Map([...pluginsOf(snapshot)].map(({ id, name }) => [id, name]))
  for (const [id, name] of named) {
    const counters = readPluginCounters(plugins.get(name)!, memory.pluginCounters.get(id)!)
    const scope = id.slice(0, -name.length - 1)
    for (const [event, value] of counters)
      text.sample('plugin_events_total', { plugin: name, scope, event }, value)
  }
}

function renderNames(text: MetricsText, names: NodeFacts['names']): void {
  const families = [
    ['dns_resolutions_total', 'counter', 'How often DNS was asked for the name of a target.', 'resolutions'],
    ['dns_failures_total', 'counter', 'Resolutions that found no address.', 'failures'],
  ] as const
  for (const [metric, type, help, field] of families) {
    text.family(metric, type, help)
    for (const [name, state] of names) text.sample(metric, { name }, state[field])
  }
  text.family('dns_addresses', 'gauge', 'Addresses in force for the name of a target.')
  for (const [name, { addresses }] of names) text.sample('dns_addresses', { name }, addresses.length)
}

function renderRedis(text: MetricsText, redis: NonNullable<NodeFacts['redis']>): void {
  text.family('redis_state', 'gauge', 'How Redis can be used: 1 for the state that it is in.')
  for (const state of redisStates) text.sample('redis_state', { state }, Number(state === redis.state))
  text.single('redis_commands_total', 'counter', 'Commands and scripts for Redis.', redis.commands)
  text.single(
    'redis_failures_total',
    'counter',
    'Those of them that failed or took too long.',
    redis.failures,
  )
  text.single('cluster_nodes', 'gauge', 'Gateways that share this Redis and live.', redis.nodes)
}

function renderLogExports(text: MetricsText, exports: readonly ExportState[]): void {
  text.family(
    'log_export_lines_total',
    'counter',
    'Lines of a log that a collector was sent, or that were given up.',
  )
  for (const { target, log, sent, lost } of exports) {
    text.sample('log_export_lines_total', { target, log, result: 'sent' }, sent)
    text.sample('log_export_lines_total', { target, log, result: 'lost' }, lost)
  }
  text.family('log_export_backlog_bytes', 'gauge', 'Bytes of a log that wait for a collector.')
  for (const { target, log, backlogBytes } of exports)
    text.sample('log_export_backlog_bytes', { target, log }, backlogBytes)
}

const longestError = 200 // characters: an authority says what it likes

function renderCertificates(text: MetricsText, certificates: readonly CertificateState[]): void {
  const families = [
    ['issued_timestamp_seconds', 'When the certificate of a domain was issued or imported.', 'issuedAt'],
    [
      'expiry_timestamp_seconds',
      'When the certificate of a domain expires; none before its first.',
      'expiresAt',
    ],
    ['next_order_timestamp_seconds', 'When the certificate of a domain is ordered or renewed next.', 'dueAt'],
  ] as const
  for (const [name, help, field] of families) {
    text.family(`certificate_${name}`, 'gauge', help)
    for (const state of certificates) {
      const time = state[field]
      if (time !== undefined) text.sample(`certificate_${name}`, { domain: state.domain }, time / 1_000)
    }
  }
  text.family('certificate_failures', 'gauge', 'Failed orders for a domain since the last that succeeded.')
  for (const { domain, failures } of certificates) text.sample('certificate_failures', { domain }, failures)
  text.family(
    'certificate_last_error',
    'gauge',
    'Always 1: what the last order for a domain failed with; none where it succeeded.',
  )
  for (const { domain, lastError } of certificates)
    if (lastError !== undefined)
      text.sample('certificate_last_error', { domain, error: lastError.slice(0, longestError) }, 1)
}

function renderCircuits(text: MetricsText, snapshot: Snapshot, memory: SharedMemoryAllocator): void {
  const circuits = snapshot.upstreams.flatMap((upstream) =>
    upstream.targets.map((target) => ({
      labels: { upstream: upstream.name, target: `${target.host}:${target.port}` },
      circuit: readCircuit(memory.targets.get(target.id)!),
    })),
  )
  text.family(
    'upstream_circuit_state',
    'gauge',
    'The state of the circuit of a target: 1 for the one that it is in.',
  )
  for (const { labels, circuit } of circuits) {
    for (const state of circuitStates) {
      text.sample('upstream_circuit_state', { ...labels, state }, Number(circuit.state === state))
    }
  }
  text.family('upstream_circuit_opened_total', 'counter', 'How often the circuit of a target has opened.')
  for (const { labels, circuit } of circuits)
    text.sample('upstream_circuit_opened_total', labels, circuit.opened)
}

function renderHealth(text: MetricsText, snapshot: Snapshot, memory: SharedMemoryAllocator): void {
  const watched = snapshot.upstreams.filter(isWatched).flatMap(({ name, targets }) =>
    targets.map(({ id, host, port }) => ({
      labels: { upstream: name, target: `${host}:${port}` },
      health: new TargetHealth(memory.targets.get(id)!),
    })),
  )
  text.family(
    'upstream_target_health',
    'gauge',
    'The health of a target that is checked: 1 for the state that it is in.',
  )
  for (const { labels, health } of watched) {
    const current = health.state
    for (const state of healthStates)
      text.sample('upstream_target_health', { ...labels, state }, Number(state === current))
  }
  text.family('upstream_target_ejections_total', 'counter', 'How often a target was ejected.')
  for (const { labels, health } of watched)
    text.sample('upstream_target_ejections_total', labels, health.ejections)
}
