import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Agent } from 'undici'
import { LinesRefused, type LogSink } from '../log-queue.ts'

const compress = promisify(gzip)
const longestAnswer = 65_536
/** What a collector may take later (OTLP specification, "Retryable Response Codes"). */
const retryable = new Set([429, 502, 503, 504])

export interface OtlpTarget {
  /** With its path: `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds. */
  readonly timeout: number
  readonly compression: 'gzip' | 'none'
}

/** Spans or log records, each as JSON, to an OpenTelemetry collector: OTLP/HTTP with JSON. */
export class OtlpSink implements LogSink {
  readonly #target: OtlpTarget
  #dispatcher: Agent | undefined
  readonly #before: string
  readonly #after: string
  readonly #rejected: 'rejectedSpans' | 'rejectedLogRecords'

  /** `resource`: attributes of what the spans or records are from. */
  constructor(target: OtlpTarget, kind: 'spans' | 'logRecords', resource: Readonly<Record<string, string>>) {
    this.#target = target
    const isSpans = kind === 'spans'
    const attributes = JSON.stringify(otlpAttributes(resource))
    this.#before =
      `{"${isSpans ? 'resourceSpans' : 'resourceLogs'}":[{"resource":{"attributes":${attributes}},` +
      `"${isSpans ? 'scopeSpans' : 'scopeLogs'}":[{"scope":{"name":"gatehouse"},"${kind}":[`
    this.#after = ']}]}]}'
    this.#rejected = isSpans ? 'rejectedSpans' : 'rejectedLogRecords'
  }

  async send(lines: readonly string[]): Promise<void> {
    const { url, headers, compression, timeout } = this.#target
    const text = `${this.#before}${lines.join(',')}${this.#after}`
    const isCompressed = compression === 'gzip'
    const { Agent, request } = (await import('undici')).default // it takes long to load: not before there is a line
    this.#dispatcher ??= new Agent({ headersTimeout: timeout, bodyTimeout: timeout, connect: { timeout } })
    const answer = await request(url, {
      dispatcher: this.#dispatcher,
      method: 'POST',
      body: isCompressed ? await compress(text) : text,
      headers: {
        'content-type': 'application/json',
        ...(isCompressed && { 'content-encoding': 'gzip' }),
        ...headers,
      },
    })
    const { statusCode } = answer
    if (statusCode >= 200 && statusCode < 300) return this.#checkPartial(await textOf(answer.body))
    await answer.body.dump()
    const reason = `the collector answered ${statusCode}`
    throw retryable.has(statusCode) ? new Error(reason) : new LinesRefused(lines.length, reason)
  }

  close(): void {
    void this.#dispatcher?.destroy()
  }

  /** A collector may take a part only, and says how much it did not. */
  #checkPartial(answer: string): void {
    const { partialSuccess } = parsed(answer)
    const rejected = Number(partialSuccess?.[this.#rejected] ?? 0)
    if (rejected > 0)
      throw new LinesRefused(rejected, `the collector refused some: ${partialSuccess?.errorMessage ?? ''}`)
  }
}

interface OtlpAnswer {
  readonly partialSuccess?: Readonly<Record<string, unknown>>
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of body) {
    size += piece.length
    if (size <= longestAnswer) pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

/** Collectors may answer in protobuf or not at all: that says they took everything. */
function parsed(text: string): OtlpAnswer {
  try {
    return (JSON.parse(text) as OtlpAnswer | null) ?? {}
  } catch {
    return {}
  }
}

type Attribute = string | number | boolean | undefined

/** Attributes as OTLP writes them in JSON; those that are undefined are left out. */
export const otlpAttributes = (attributes: Readonly<Record<string, Attribute>>): object[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: otlpValue(value) }],
  )

function otlpValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  // 64-bit integers are strings in the JSON of protobuf.
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
