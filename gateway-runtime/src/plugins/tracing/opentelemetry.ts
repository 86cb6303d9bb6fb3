import { hostname } from 'node:os'
import { z } from 'zod'
import { definePlugin, type Exchange } from '../contract.ts'
import { LogBatcher } from '../logging/log-batcher.ts'
import { queueShape } from '../logging/log-plugin.ts'
import { LogQueue } from '../logging/log-queue.ts'
import { OtlpSink } from '../logging/sinks/otlp-sink.ts'
import { headerNameSchema, headerValueSchema } from '../request-response/header-schema.ts'
import { SpanWriter, type Trace } from './spans.ts'
import { formatTraceparent, isSampledAt, parentSpanOf, randomId } from './trace-context.ts'

const config = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' })
    .default('http://127.0.0.1:4318/v1/traces')
    .describe('Where an OpenTelemetry collector takes traces over HTTP, with the path.'),
  headers: z
    .record(headerNameSchema, headerValueSchema)
    .default({})
    .describe(
      'More headers, such as authorization; secrets come in by reference to the environment or a file.',
    ),
  sampling_rate: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe(
      'Part of the traces that is sent; told from the trace id, so that other gateways choose the same.',
    ),
  incoming: z
    .enum(['continue', 'follow', 'ignore'])
    .default('continue')
    .describe(
      'A traceparent of the client: continued with the own sampling_rate, followed in whether it is sampled (only for clients that are trusted), or ignored.',
    ),
  detailed: z.boolean().default(false).describe('A span for each plugin, too.'),
  service_name: z.string().min(1).max(256).default('gatehouse').describe('What traces call this gateway.'),
  resource_attributes: z
    .record(z.string().min(1).max(256), z.string().max(1_024))
    .default({})
    .describe('More of it, such as deployment.environment.name.'),
  compression: z.enum(['gzip', 'none']).default('gzip'),
  timeout: z
    .int()
    .min(100)
    .max(60_000)
    .default(10_000)
    .describe('Milliseconds for an answer of the collector.'),
  ...queueShape,
})

/** By exchange and not by plugin: a consumer's own settings take over within a request. */
const traces = new WeakMap<Exchange, Trace>()

/**
 * Traces requests: W3C Trace Context to the upstream, spans to an OpenTelemetry collector (OTLP/HTTP with JSON). Names
 * of attributes are those of OpenTelemetry's semantic conventions for HTTP.
 */
export const opentelemetry = definePlugin({
  name: 'opentelemetry',
  order: 3_000,
  description:
    'Traces requests (W3C Trace Context) and sends the spans to an OpenTelemetry collector, over OTLP/HTTP.',
  config,
  examples: [{ endpoint: 'http://10.0.9.5:4318/v1/traces', sampling_rate: 0.1 }],
  counters: { sent: 'Spans that were handed over.', dropped: 'Spans that were lost.' },
  create(settings, gateway) {
    const batcher = new LogBatcher(gateway, settings.batch_lines, settings.flush_interval)
    return {
      onRequest: (exchange) => beginTrace(exchange, settings),
      onEnd(exchange, outcome) {
        const trace = traces.get(exchange)
        if (!trace?.timings) return
        traces.delete(exchange)
        const writer = new SpanWriter(trace, exchange, outcome)
        for (const span of writer.write(trace.timings, settings.detailed)) batcher.add(span)
      },
    }
  },
  serve(settings, node) {
    const { endpoint: url, headers, timeout, compression, service_name, resource_attributes } = settings
    const resource = { 'service.name': service_name, 'host.name': hostname(), ...resource_attributes }
    const sink = new OtlpSink({ url, headers, timeout, compression }, 'spans', resource)
    const queue = new LogQueue(sink, settings, (reason) =>
      node.log('error', 'traces cannot be sent', { reason }),
    )
    return {
      onCall: (spans) => queue.add(spans as readonly string[]),
      stop: () => queue.stop(),
    }
  },
})

/** The upstream is told of the trace, sampled or not, so that it stays one. */
function beginTrace(exchange: Exchange, settings: z.output<typeof config>): undefined {
  const { request } = exchange
  const parent = settings.incoming === 'ignore' ? undefined : parentSpanOf(request)
  const traceId = parent?.traceId ?? randomId(16)
  const isSampled =
    parent && settings.incoming === 'follow' ? parent.isSampled : isSampledAt(traceId, settings.sampling_rate)
  const upstream = { traceId, spanId: randomId(8), isSampled }
  request.setHeader('traceparent', formatTraceparent(upstream))
  if (!parent) request.removeHeader('tracestate') // it says something of a trace that this one is not
  exchange.traceId = traceId
  traces.set(exchange, {
    spanId: randomId(8),
    upstream,
    parentSpanId: parent?.spanId,
    timings: isSampled ? exchange.recordTimings() : undefined,
  })
}
