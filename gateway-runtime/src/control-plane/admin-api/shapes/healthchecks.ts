import { isDeepStrictEqual } from 'node:util'
import { isMapping } from '../../../config/merge.ts'
import type { Entity } from '../entities.ts'
import { FieldRefused } from './shape.ts'

/*
 * Kong counts successes and failures of several kinds apart; this gateway counts checks that failed, and failures of
 * requests in a row (circuit_breaker). What can be said both ways is; what cannot is refused, rather than lost.
 */

const wellStatuses = [200, 302]
const illStatuses = [429, 404, 500, 501, 502, 503, 504, 505]
const passiveWell = [
  ...[200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308],
]
const passiveIll = [429, 500, 503]

/** Whether checks are said in Kong's words. */
export function isKongHealthchecks(given: Entity): boolean {
  const { active, passive } = given
  const has = (value: unknown, keys: readonly string[]) =>
    isMapping(value) && keys.some((key) => value[key] !== undefined)
  return (
    given.threshold !== undefined ||
    has(active, ['healthy', 'unhealthy', 'http_path', 'concurrency', 'https_sni']) ||
    has(passive, ['healthy', 'unhealthy', 'type'])
  )
}

/** @param full - an upstream with its defaults; `written`: without */
export function healthchecksToApi(full: Entity, written: Entity): Entity {
  const { active } = full.healthchecks as { readonly active?: Entity }
  const breaker = (written.circuit_breaker as Entity | undefined)?.consecutive_failures ?? 0
  const interval = seconds(active?.interval ?? 0)
  const failures = active?.unhealthy_after ?? 0
  return {
    threshold: 0,
    active: {
      type: active?.type ?? 'http',
      http_path: active?.path ?? '/',
      timeout: seconds(active?.timeout ?? 1_000),
      concurrency: 10,
      headers: null,
      https_sni: active?.host ?? null,
      https_verify_certificate: active?.tls_verify ?? true,
      healthy: { interval, successes: active?.healthy_after ?? 0, http_statuses: statusesOf(active) },
      unhealthy: {
        interval,
        http_failures: failures,
        tcp_failures: failures,
        timeouts: failures,
        http_statuses: illStatuses,
      },
    },
    passive: {
      type: 'http',
      healthy: { successes: 0, http_statuses: passiveWell },
      unhealthy: {
        http_failures: breaker,
        tcp_failures: breaker,
        timeouts: breaker,
        http_statuses: passiveIll,
      },
    },
  }
}

const seconds = (milliseconds: unknown) => Number(milliseconds) / 1_000

function statusesOf(active: Entity | undefined): number[] {
  const ranges = active?.expected_statuses as { readonly from: number; readonly to: number }[] | undefined
  if (!ranges) return wellStatuses
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, offset) => from + offset))
}

interface Counts {
  readonly interval?: number
  readonly successes?: number
  readonly http_failures?: number
  readonly tcp_failures?: number
  readonly timeouts?: number
  readonly http_statuses?: readonly number[]
}

/** @throws FieldRefused for what this gateway cannot say */
export function healthchecksFromApi(given: Entity, existing: Entity | undefined): Entity {
  const active = (given.active ?? {}) as Entity & { readonly healthy?: Counts; readonly unhealthy?: Counts }
  const passive = (given.passive ?? {}) as { readonly healthy?: Counts; readonly unhealthy?: Counts }
  requireValue('threshold', given.threshold, [0])
  requireValue('passive.healthy.successes', passive.healthy?.successes, [0])
  const inARow = oneCount('passive.unhealthy', passive.unhealthy ?? {})
  const before = (existing?.circuit_breaker ?? {}) as Entity
  const { consecutive_failures: _, ...rest } = before
  const breaker = { ...rest, ...(inARow > 0 && { consecutive_failures: inARow }) }
  const { panic_threshold } = (existing?.healthchecks ?? {}) as Entity
  const checks = {
    ...(panic_threshold !== undefined && { panic_threshold }),
    ...activeChecks(active, active.healthy ?? {}, active.unhealthy ?? {}),
  }
  return {
    ...(Object.keys(checks).length > 0 && { healthchecks: checks }),
    ...(Object.keys(breaker).length > 0 && { circuit_breaker: breaker }),
  }
}

function activeChecks(active: Entity, healthy: Counts, unhealthy: Counts): Entity {
  const intervals = [healthy.interval ?? 0, unhealthy.interval ?? 0].filter((interval) => interval > 0)
  const [interval] = intervals
  if (interval === undefined) return {}
  if (intervals.some((other) => other !== interval)) {
    throw new FieldRefused('healthchecks.active', 'healthy.interval and unhealthy.interval must be the same')
  }
  const failures = oneCount('active.unhealthy', unhealthy)
  const type = String(active.type ?? 'http')
  const isHttp = type === 'http' || type === 'https'
  const isUsual = !healthy.http_statuses || isDeepStrictEqual(healthy.http_statuses, wellStatuses)
  const host = active.https_sni ?? undefined
  return {
    active: {
      type,
      ...(isHttp && { path: active.http_path ?? '/' }),
      ...(host !== undefined && { host }),
      ...(isHttp && !isUsual && { expected_statuses: healthy.http_statuses }),
      ...(type === 'https' && active.https_verify_certificate === false && { tls_verify: false }),
      interval: interval * 1_000,
      timeout: Number(active.timeout ?? 1) * 1_000,
      ...(failures > 0 && { unhealthy_after: failures }),
      ...((healthy.successes ?? 0) > 0 && { healthy_after: healthy.successes }),
    },
  }
}

function oneCount(field: string, { http_failures = 0, tcp_failures = 0, timeouts = 0 }: Counts): number {
  const counts = [http_failures, tcp_failures, timeouts].filter((count) => count > 0)
  if (counts.some((count) => count !== counts[0])) {
    const reason = 'http_failures, tcp_failures and timeouts are counted together here: give them one number'
    throw new FieldRefused(`healthchecks.${field}`, reason)
  }
  return counts[0] ?? 0
}

function requireValue(field: string, value: unknown, known: readonly unknown[]): void {
  if (value === undefined || value === null || known.includes(value)) return
  throw new FieldRefused(`healthchecks.${field}`, `this gateway knows ${known.join(', ')} only`)
}
