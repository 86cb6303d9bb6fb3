import { servicesOf } from '../config/packed-snapshot.ts'
import type { CompiledRoute } from '../config/snapshot.ts'
import type { Exchange } from '../data-plane/exchange.ts'

/*
 * Counters of the workers. Each worker has memory of its own, which it alone writes and the main thread reads, so
 * that counting costs an addition and a scrape disturbs nobody. Numbers are 64-bit floats, aligned: no machine that
 * Node.js runs on shows half of one.
 *
 * Layout: the node-wide counters, what became of copies, then a count for each status from 0 to 999, then one block a route.
 */

export const nodeCounters = {
  connectionsAccepted: 0,
  connectionsActive: 1,
  connectionsRefused: 2,
  pluginFailures: 3,
  accessLogDropped: 4,
  errorLogDropped: 5,
  tunnelsActive: 6,
  retriesOverBudget: 7,
  handshakeFailures: 8,
  proxyHeadersRefused: 9,
} as const

/** What became of the copy of a request, each with its counter behind those of the node. */
export const mirrorResults = ['sent', 'too_large', 'over_limit', 'incomplete'] as const
export type MirrorResult = (typeof mirrorResults)[number]

const mirrorBase = 16
export const mirrorOffset = (result: MirrorResult): number => mirrorBase + mirrorResults.indexOf(result)

const statusBase = 32
const blockBase = statusBase + 1_000

/** Upper bounds of the buckets of durations, in seconds. */
export const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

/** Fields of a route's block. */
export const routeFields = {
  /** Five counts: 1xx to 5xx. */
  classes: 0,
  requestBytes: 5,
  responseBytes: 6,
  retries: 7,
  durationSum: 8,
  upstreamSum: 9,
  /** A count for each bucket, and one for what is longer than all. */
  buckets: 10,
} as const

const blockSize = 32 // fields, rounded up so that blocks begin on cache lines

/** Bytes for a worker's counters with so many routes. */
export const metricsMemorySize = (routes: number): number =>
  (blockBase + routes * blockSize) * Float64Array.BYTES_PER_ELEMENT

/** What is counted of a route: a series for each service that its requests may go to. */
export function routeSeries(route: CompiledRoute): { key: string; route: string; service: string }[] {
  const services = servicesOf(route).map(({ name }) => name)
  const names = services.length === 0 ? [''] : services
  return names.map((service) => ({ key: seriesKey(route.name, service), route: route.name, service }))
}

/** Names have no spaces. */
export const seriesKey = (route: string, service: string): string => `${route} ${service}`

/** Where a route's block begins, as an index into the memory. */
export const blockOffset = (block: number): number => blockBase + block * blockSize
export const statusOffset = (status: number): number => statusBase + status

/** The side of the worker: counts. */
export class WorkerMetrics {
  #values: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory)
  }

  /** Goes on in larger memory, with all that was counted. */
  moveTo(memory: SharedArrayBuffer): void {
    if (memory === this.#values.buffer) return
    const values = new Float64Array(memory)
    values.set(this.#values)
    this.#values = values
  }

  onConnection(): void {
    this.#values[nodeCounters.connectionsAccepted]!++
    this.#values[nodeCounters.connectionsActive]!++
  }

  onConnectionClosed(): void {
    this.#values[nodeCounters.connectionsActive]!--
  }

  onTunnel(): void {
    this.#values[nodeCounters.tunnelsActive]!++
  }

  onTunnelClosed(): void {
    this.#values[nodeCounters.tunnelsActive]!--
  }

  countConnectionRefused(): void {
    this.#values[nodeCounters.connectionsRefused]!++
  }

  countHandshakeFailure(): void {
    this.#values[nodeCounters.handshakeFailures]!++
  }

  countProxyHeaderRefused(): void {
    this.#values[nodeCounters.proxyHeadersRefused]!++
  }

  countPluginFailure(): void {
    this.#values[nodeCounters.pluginFailures]!++
  }

  countRetry(block: number): void {
    this.#values[blockOffset(block) + routeFields.retries]!++
  }

  countMirror(result: MirrorResult): void {
    this.#values[mirrorOffset(result)]!++
  }

  countRetryOverBudget(): void {
    this.#values[nodeCounters.retriesOverBudget]!++
  }

  /** An answer to what was no request that could be understood. */
  countRefused(status: number): void {
    this.#values[statusOffset(status)]!++
  }

  setLogDropped(access: number, error: number): void {
    this.#values[nodeCounters.accessLogDropped] = access
    this.#values[nodeCounters.errorLogDropped] = error
  }

  /** `duration` in milliseconds. */
  record(exchange: Exchange, duration: number): void {
    const values = this.#values
    const { status, route } = exchange
    values[statusOffset(status)]!++
    if (!route) return
    const block = blockOffset(exchange.destination?.metricBlock ?? route.metricBlock)
    const inSeconds = duration / 1_000
    values[block + routeFields.classes + Math.min(Math.max(Math.floor(status / 100), 1), 5) - 1]!++
    values[block + routeFields.requestBytes]! += exchange.requestBytes
    values[block + routeFields.responseBytes]! += exchange.responseBytes
    values[block + routeFields.upstreamSum]! += exchange.upstreamTime / 1_000
    if (status === 101) return // how long a tunnel is used says nothing of how fast anything is
    values[block + routeFields.durationSum]! += inSeconds
    let bucket = 0
    while (bucket < durationBuckets.length && inSeconds > durationBuckets[bucket]!) bucket++
    values[block + routeFields.buckets + bucket]!++
  }
}
