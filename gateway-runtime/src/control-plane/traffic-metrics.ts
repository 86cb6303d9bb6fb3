import type { Snapshot } from '../config/snapshot.ts'
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
import { labelPairs, type MetricsText } from './metrics-writer.ts'

/** What all workers have counted at an offset of their memory. */
export type Sum = (offset: number) => number

/** Connections, tunnels and requests of the node as a whole. */
export function renderTraffic(text: MetricsText, sum: Sum): void {
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

const bounds = [...durationBuckets, '+Inf'].map((bound) => labelPairs({ le: String(bound) }))

/** Requests of each route with each of its services. */
export function renderRoutes(
  text: MetricsText,
  snapshot: Snapshot,
  blocks: ReadonlyMap<string, number>,
  sum: Sum,
): void {
  const routes = snapshot.routes.flatMap(routeSeries).map(({ key, route, service }) => ({
    pairs: labelPairs({ route, service }),
    block: blockOffset(blocks.get(key)!),
  }))
  text.family('route_requests_total', 'counter', 'Requests of a route by the class of their status.')
  for (const { pairs, block } of routes) {
    for (let index = 0; index < 5; index++) {
      const count = sum(block + routeFields.classes + index)
      if (count > 0) text.line('route_requests_total', `${pairs},code="${index + 1}xx"`, count)
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
    for (const { pairs, block } of routes) text.line(name, pairs, sum(block + field))
  }
  text.family(
    'route_request_duration_seconds',
    'histogram',
    'Time from the head of a request to the end of its answer; tunnels are not counted.',
  )
  for (const { pairs, block } of routes) {
    let count = 0
    for (const [index, bound] of bounds.entries()) {
      count += sum(block + routeFields.buckets + index)
      text.line('route_request_duration_seconds_bucket', `${pairs},${bound}`, count)
    }
    text.line('route_request_duration_seconds_sum', pairs, sum(block + routeFields.durationSum))
    text.line('route_request_duration_seconds_count', pairs, count)
  }
}
