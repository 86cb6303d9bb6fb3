import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

/** What OTLP's JSON says of a span, as far as tests look at it. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Record<string, unknown>
  readonly events?: readonly { readonly name: string }[]
  readonly status?: { readonly code: number }
}

export interface LogRecord {
  readonly timeUnixNano: string
  readonly severityText: string
  readonly body: { readonly stringValue: string }
  readonly attributes: Record<string, unknown>
  readonly traceId?: string
}

/** An OpenTelemetry collector's side of OTLP/HTTP with JSON: keeps what it is sent. */
export interface Collector {
  readonly port: number
  readonly url: string
  readonly spans: readonly Span[]
  readonly logRecords: readonly LogRecord[]
  readonly resources: readonly Record<string, unknown>[]
  /** Answers requests so from now on; 200 at first. */
  answer(status: number, body?: string): void
  readonly requests: number
  stop(): Promise<void>
}

/** `port`: a certain one, to bring back one that was stopped. */
export async function startCollector(port = 0): Promise<Collector> {
  const spans: Span[] = []
  const logRecords: LogRecord[] = []
  const resources: Record<string, unknown>[] = []
  let reply = { status: 200, body: '{}' }
  let requests = 0
  const server = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray())
    requests++
    response.writeHead(reply.status, { 'content-type': 'application/json' })
    response.end(reply.body)
    if (reply.status !== 200) return
    const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
    const { resourceSpans = [], resourceLogs = [] } = JSON.parse(text.toString())
    for (const { resource, scopeSpans } of resourceSpans) {
      resources.push(plain(resource.attributes))
      for (const { spans: some } of scopeSpans) spans.push(...some.map(readable))
    }
    for (const { resource, scopeLogs } of resourceLogs) {
      resources.push(plain(resource.attributes))
      for (const { logRecords: some } of scopeLogs) logRecords.push(...some.map(readable))
    }
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address() as AddressInfo
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    spans,
    logRecords,
    resources,
    answer: (status, body = '{}') => {
      reply = { status, body }
    },
    get requests() {
      return requests
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what a message holds is what tests find out
const readable = (one: any) => ({ ...one, attributes: plain(one.attributes) })

const plain = (
  attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[],
): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue),
    ]),
  )
