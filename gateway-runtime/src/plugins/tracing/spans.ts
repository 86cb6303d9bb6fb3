import type { Exchange, Outcome, RequestTimings } from '../contract.ts'
import { otlpAttributes } from '../logging/sinks/otlp-sink.ts'
import { type ParentSpan, randomId } from './trace-context.ts'

/** What is known of a trace while its request is on its way. */
export interface Trace {
  /** Of this gateway, which the upstream is told as its parent's parent. */
  readonly spanId: string
  /** Of the request to the upstream; it is told this one. */
  readonly upstream: ParentSpan
  /** The caller's, where it told one. */
  readonly parentSpanId: string | undefined
  /** Undefined where the trace is not sampled. */
  readonly timings: RequestTimings | undefined
}

const spanKinds = { internal: 1, server: 2, client: 3 } as const
const statusError = 2

interface Times {
  readonly startedAt: number
  readonly duration: number
}

/** Spans of one request as OTLP writes them in JSON, each a text. Headers, queries and bodies are in none of them. */
export class SpanWriter {
  readonly #trace: Trace
  readonly #exchange: Exchange
  readonly #outcome: Outcome
  /** Milliseconds between `performance.now()` and the time of day. */
  readonly #epoch = Date.now() - performance.now()

  constructor(trace: Trace, exchange: Exchange, outcome: Outcome) {
    this.#trace = trace
    this.#exchange = exchange
    this.#outcome = outcome
  }

  /** That of the gateway, that of the upstream where one was asked, and one for each plugin where `detailed`. */
  write(timings: RequestTimings, detailed: boolean): string[] {
    return [
      this.#server(timings),
      ...(timings.attempts.length > 0 ? [this.#client(timings)] : []),
      ...(detailed ? this.#plugins(timings) : []),
    ]
  }

  #server({ startedAt }: RequestTimings): string {
    const { spanId, parentSpanId } = this.#trace
    const { request, routeName, serviceName, consumer, clientAddress, requestId } = this.#exchange
    const { status, code, duration, requestBytes, responseBytes } = this.#outcome
    const failed = status >= 500
    return this.#span({
      spanId,
      ...(parentSpanId !== undefined && { parentSpanId }),
      name: routeName === undefined ? request.method : `${request.method} ${routeName}`,
      kind: spanKinds.server,
      times: { startedAt, duration },
      attributes: {
        'http.request.method': request.method,
        'http.response.status_code': status,
        'url.scheme': request.scheme,
        'url.path': request.path,
        'server.address': request.host,
        'client.address': clientAddress,
        'network.protocol.version': request.protocol.slice(5),
        'user_agent.original': request.header('user-agent'),
        'http.request.body.size': requestBytes,
        'http.response.body.size': responseBytes,
        'error.type': failed ? (code ?? String(status)) : undefined,
        'gatehouse.request_id': requestId,
        'gatehouse.route': routeName,
        'gatehouse.service': serviceName,
        'gatehouse.consumer': consumer?.name,
        'gatehouse.code': code,
      },
      failed,
    })
  }

  /** One for all attempts: the upstream is told the same parent in each. */
  #client({ attempts }: RequestTimings): string {
    const { spanId, upstream } = this.#trace
    const first = attempts[0]!
    const last = attempts.at(-1)!
    const end = last.startedAt + (last.duration ?? performance.now() - last.startedAt)
    const [host, port] = splitAuthority(last.target)
    const failed = last.failure !== undefined || (last.status ?? 0) >= 400
    return this.#span({
      spanId: upstream.spanId,
      parentSpanId: spanId,
      name: this.#exchange.request.method,
      kind: spanKinds.client,
      times: { startedAt: first.startedAt, duration: end - first.startedAt },
      attributes: {
        'http.request.method': this.#exchange.request.method,
        'http.response.status_code': last.status,
        'server.address': host,
        'server.port': port,
        'http.request.resend_count': attempts.length > 1 ? attempts.length - 1 : undefined,
        'error.type': failed ? (last.failure ?? String(last.status)) : undefined,
        'gatehouse.service': this.#exchange.serviceName,
      },
      failed,
      events: attempts.slice(0, -1).map(({ target, failure, startedAt, duration = 0 }) => ({
        name: 'attempt failed',
        timeUnixNano: this.#nanoseconds(startedAt + duration),
        attributes: otlpAttributes({ target, failure }),
      })),
    })
  }

  #plugins({ plugins }: RequestTimings): string[] {
    return plugins.map(({ plugin, phase, startedAt, duration }) =>
      this.#span({
        spanId: randomId(8),
        parentSpanId: this.#trace.spanId,
        name: `${plugin} ${phase}`,
        kind: spanKinds.internal,
        times: { startedAt, duration },
        attributes: { 'gatehouse.plugin': plugin, 'gatehouse.phase': phase },
        failed: false,
      }),
    )
  }

  #span(span: {
    readonly spanId: string
    readonly parentSpanId?: string
    readonly name: string
    readonly kind: number
    readonly times: Times
    readonly attributes: Parameters<typeof otlpAttributes>[0]
    readonly failed: boolean
    readonly events?: readonly object[]
  }): string {
    const { spanId, parentSpanId, name, kind, times, attributes, failed, events = [] } = span
    return JSON.stringify({
      traceId: this.#trace.upstream.traceId,
      spanId,
      parentSpanId,
      name,
      kind,
      startTimeUnixNano: this.#nanoseconds(times.startedAt),
      endTimeUnixNano: this.#nanoseconds(times.startedAt + times.duration),
      attributes: otlpAttributes(attributes),
      ...(events.length > 0 && { events }),
      ...(failed && { status: { code: statusError } }),
    })
  }

  /** Of the time of day, as a text: it has more digits than a number. */
  #nanoseconds(time: number): string {
    return `${Math.round((this.#epoch + time) * 1_000)}000`
  }
}

function splitAuthority(authority: string): [host: string, port: number] {
  const colon = authority.lastIndexOf(':')
  return [authority.slice(0, colon).replace(/^\[|\]$/g, ''), Number(authority.slice(colon + 1))]
}
