import type { RequestHead } from './http1/request-head.ts'

/** Whether a request is a call of gRPC, which wants failures as trailers. */
export function isGrpc({ names, values, version }: RequestHead): boolean {
  if (version !== 20) return false
  const index = names.findIndex(({ lower }) => lower === 'content-type')
  return index >= 0 && /^application\/grpc([+;]|$)/i.test(values[index]!)
}

// github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md, with the gateway's own 408, 413 and 504.
const statuses: Record<number, number> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  408: 4, // DEADLINE_EXCEEDED
  413: 8, // RESOURCE_EXHAUSTED
  429: 8, // RESOURCE_EXHAUSTED: a limit of calls, which clients do not retry at once
  502: 14, // UNAVAILABLE
  503: 14, // UNAVAILABLE
  504: 4, // DEADLINE_EXCEEDED
}

/** The status of a gRPC call that the gateway answers with this status of HTTP. */
export const grpcStatusOf = (status: number): number => statuses[status] ?? 2 // UNKNOWN

const units: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Milliseconds of a grpc-timeout field such as `250m`; undefined for what is none. */
export function grpcTimeout(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value)
  return match ? Math.max(Number(match[1]) * units[match[2]!]!, 1) : undefined
}
