import type { Exchange, Outcome } from '../contract.ts'

/** What is logged of a request: names and units are those of access.log, times in seconds. */
export function logEntry(exchange: Exchange, outcome: Outcome): object {
  const { request } = exchange
  const gatewayDuration = Math.max(outcome.duration - outcome.upstreamTime, 0)
  return {
    time: new Date().toISOString(),
    request_id: exchange.requestId,
    client_address: exchange.clientAddress,
    method: request.method,
    scheme: request.scheme,
    host: request.host,
    path: request.path,
    protocol: request.protocol,
    status: outcome.status,
    duration: inSeconds(outcome.duration),
    upstream_duration: inSeconds(outcome.upstreamTime),
    gateway_duration: inSeconds(gatewayDuration),
    request_bytes: outcome.requestBytes,
    response_bytes: outcome.responseBytes,
    route: exchange.routeName,
    service: exchange.serviceName,
    consumer: exchange.consumer?.name,
    target: outcome.target,
    attempts: outcome.attempts,
    trace_id: exchange.traceId,
    code: outcome.code,
    user_agent: request.header('user-agent'),
  }
}

const inSeconds = (milliseconds: number) => Math.round(milliseconds * 1_000) / 1e6
