import { pluginsOf } from '../config/plugin-chain.ts'
import type { Snapshot } from '../config/snapshot.ts'
import { circuitStates, readCircuit } from '../data-plane/upstreams/circuit-breaker.ts'
import { healthStates, TargetHealth } from '../data-plane/upstreams/health.ts'
import type { PluginMetric } from '../plugins/contract.ts'
import { plugins } from '../plugins/registry.ts'
import type { ExportState } from '../telemetry/export/log-exporter.ts'
import {
  blockOffset,
  durationBuckets,
  mirrorOffset,
  mirrorResults,
  nodeCounters,
  routeFields,
  routeSeries,
  statusOffset,
} from '../telemetry/metrics.ts'
import { readPluginCounters } from '../telemetry/plugin-counters.ts'
import type { CertificateState } from './certificates/ordered-certificates.ts'
import type { NameState } from './dns/followed-name.ts'
import { isWatched } from './health-checks/health-checks.ts'
import { redisStates } from './redis/redis.ts'
import type { RedisFacts } from './redis/redis-connection.ts'
import type { SharedMemoryAllocator } from './shared-memory.ts'

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

type Labels = Readonly<Record<string, string>>

class MetricsText {
  #text = ''

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
    this.#text += `# HELP gatehouse_${name} ${help}\n# TYPE gatehouse_${name} ${type}\n`
  }

  sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    this.#text += `gatehouse_${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`
  }

  single(name: string, type: 'counter' | 'gauge', help: string, value: number): void {
    this.family(name, type, help)
    this.sample(name, {}, value)
  }

  toString(): string {
    return this.#text
  }
}

const escapeLabel = (text: string): string =>
  text.replace(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))

/** The metrics of a node in Prometheus' text format (version 0.0.4): sums over the memory of all workers. */
export function renderMetrics(
  memory: SharedMemoryAllocator,
  snapshot: Snapshot | undefined,
  facts: NodeFacts,
): string {
  const workers = memory.metrics.map((buffer) => new Float64Array(buffer))
  const sum = (offset: number): number => workers.reduce((total, values) => total + values[offset]!, 0)
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

function renderTraffic(text: MetricsText, sum: (offset: number) => number): void {
  text.single(
    'connections_active',
    'gauge',
    'Open connections of clients.',
    sum(nodeCounters.connectionsActive),
  )
  text.single('tunnels_active', 'gauge', 'Open tunnels (WebSocket).', sum(nodeCounters.tunnelsActive))
  const accepted = sum(nodeCounters.connectionsAccepted)
  text.single('connections_accepted_total', 'counter', 'Connections of clients that were accepted.', accepted)
  const refused = sum(nodeCounters.connectionsRefused)
  text.single('connections_refused_total', 'counter', 'Connections closed at once: too many.', refused)
  const handshakes = sum(nodeCounters.handshakeFailures)
  text.single('tls_handshake_failures_total', 'counter', 'TLS handshakes of clients that failed.', handshakes)
  const proxyHeaders = sum(nodeCounters.proxyHeadersRefused)
  text.single(
    'proxy_headers_refused_total',
    'counter',
    'Connections closed for a PROXY header that was malformed, late or of an unknown peer.',
    proxyHeaders,
  )
  const failures = sum(nodeCounters.pluginFailures)
  text.single(
    'plugin_failures_total',
    'counter',
    'Requests answered with 500 because a plugin failed.',
    failures,
  )
  text.single(
    'retries_over_budget_total',
    'counter',
    'Failed requests that were not tried again because too many were already.',
    sum(nodeCounters.retriesOverBudget),
  )
  text.family(
    'mirrored_requests_total',
    'counter',
    'Requests to be copied to a shadow service; not sent: a large body, too many at once, or one that broke off.',
  )
  for (const result of mirrorResults)
    text.sample('mirrored_requests_total', { result }, sum(mirrorOffset(result)))
  text.family('log_lines_dropped_total', 'counter', 'Lines of a log that the disk did not take in time.')
  text.sample('log_lines_dropped_total', { log: 'access' }, sum(nodeCounters.accessLogDropped))
  text.sample('log_lines_dropped_total', { log: 'error' }, sum(nodeCounters.errorLogDropped))
  text.family(
    'requests_total',
    'counter',
    'Requests by the status of their answer; 499: the client went before.',
  )
  for (let status = 100; status < 600; status++) {
    const count = sum(statusOffset(status))
    if (count > 0) text.sample('requests_total', { code: String(status) }, count)
  }
}

function renderRoutes(
  text: MetricsText,
  snapshot: Snapshot,
  blocks: ReadonlyMap<string, number>,
  sum: (offset: number) => number,
): void {
  const routes = snapshot.routes.flatMap(routeSeries).map(({ key, route, service }) => ({
    labels: { route, service },
    block: blockOffset(blocks.get(key)!),
  }))
  text.family('route_requests_total', 'counter', 'Requests of a route by the class of their status.')
  for (const { labels, block } of routes) {
    for (let index = 0; index < 5; index++) {
      const count = sum(block + routeFields.classes + index)
      if (count > 0) text.sample('route_requests_total', { ...labels, code: `${index + 1}xx` }, count)
    }
  }
  const counters = [
    ['route_request_bytes_total', 'Bytes of bodies that clients sent.', routeFields.requestBytes],
    ['route_response_bytes_total', 'Bytes of bodies that clients were sent.', routeFields.responseBytes],
    ['route_retries_total', 'Attempts that were repeated.', routeFields.retries],
    ['route_upstream_seconds_total', 'Time until the targets answered.', routeFields.upstreamSum],
  ] as const
  for (const [name, help, field] of counters) {
    text.family(name, 'counter', help)
    for (const { labels, block } of routes) text.sample(name, labels, sum(block + field))
  }
  text.family(
    'route_request_duration_seconds',
    'histogram',
    'Time from the head of a request to the end of its answer; tunnels are not counted.',
  )
  for (const { labels, block } of routes) {
    let count = 0
    for (const [index, bound] of [...durationBuckets, '+Inf'].entries()) {
      count += sum(block + routeFields.buckets + index)
      text.sample('route_request_duration_seconds_bucket', { ...labels, le: String(bound) }, count)
    }
    text.sample('route_request_duration_seconds_sum', labels, sum(block + routeFields.durationSum))
    text.sample('route_request_duration_seconds_count', labels, count)
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

function renderCertificates(text: MetricsText, certificates: readonly CertificateState[]): void {
  const families = [
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
