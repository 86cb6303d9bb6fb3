import { randomFillSync } from 'node:crypto'
import type { PluginRequest } from '../contract.ts'

/** The span of the caller, as W3C Trace Context (level 1, section 3.2) tells it. */
export interface ParentSpan {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits. */
  readonly spanId: string
  readonly isSampled: boolean
}

const form = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Reads a traceparent; undefined where it is none. Of later versions it takes what version 00 has. */
export function parseTraceparent(text: string): ParentSpan | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(text) ?? []
  if (version === undefined || (version === '00' && more !== undefined)) return undefined
  return { traceId: traceId!, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}

export const formatTraceparent = ({ traceId, spanId, isSampled }: ParentSpan): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`

/** The span that a request says it belongs to; of two traceparents, neither is believed. */
export function parentSpanOf(request: PluginRequest): ParentSpan | undefined {
  const first = request.header('traceparent')
  if (first === undefined) return undefined
  let count = 0
  for (const [name] of request.headers()) if (name === 'traceparent') count++
  return count === 1 ? parseTraceparent(first) : undefined
}

/**
 * Whether a trace is one of this part of all: told from its id, so that whoever samples the same part samples the same
 * traces. `rate`: from 0 to 1.
 */
export const isSampledAt = (traceId: string, rate: number): boolean =>
  Number.parseInt(traceId.slice(-14), 16) < rate * 2 ** 56

const pool = Buffer.alloc(4_096)
let used = pool.length

/** So many random bytes in hexadecimal, not all zero. */
export function randomId(bytes: 8 | 16): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = pool.toString('hex', used, used + bytes)
  used += bytes
  return /[^0]/.test(id) ? id : randomId(bytes)
}
