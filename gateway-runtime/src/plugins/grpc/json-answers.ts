import { Transform } from 'node:stream'
import type { DescMethod, Registry } from '@bufbuild/protobuf'
import type { AnswerReply, PluginResponse, ProblemReply } from '../contract.ts'
import { decodeMessage, FrameReader } from './frames.ts'
import type { HttpRule } from './http-rules.ts'
import { answerJson } from './message-json.ts'

type Headers = readonly (readonly [name: string, value: string])[]

/** How messages of an answer are written. */
export interface AnswerText {
  readonly method: DescMethod
  readonly rule: HttpRule
  readonly registry: Registry
  /** Whether fields with default values are written. */
  readonly defaults: boolean
  /** Bytes of a message at most. */
  readonly limit: number
}

// By number: name, and the status of HTTP (googleapis/google/rpc/code.proto).
const statuses: readonly (readonly [name: string, http: number])[] = [
  ['OK', 200],
  ['CANCELLED', 499],
  ['UNKNOWN', 500],
  ['INVALID_ARGUMENT', 400],
  ['DEADLINE_EXCEEDED', 504],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['PERMISSION_DENIED', 403],
  ['RESOURCE_EXHAUSTED', 429],
  ['FAILED_PRECONDITION', 400],
  ['ABORTED', 409],
  ['OUT_OF_RANGE', 400],
  ['UNIMPLEMENTED', 501],
  ['INTERNAL', 500],
  ['UNAVAILABLE', 503],
  ['DATA_LOSS', 500],
  ['UNAUTHENTICATED', 401],
]

function endOf(fields: Headers): { readonly name: string; readonly http: number; readonly message: string } {
  const value = (wanted: string) => fields.find(([name]) => name === wanted)?.[1]
  const status = value('grpc-status') ?? '2'
  const [name, http] = statuses[Number(status)] ?? statuses[2]!
  return { name, http, message: decodeMessage(value('grpc-message') ?? '') }
}

/** How a call failed: `grpc-not-found`. A call that says OK and has no message is a failure of the service. */
export function problemOfCall(fields: Headers): ProblemReply {
  const { name, http, message } = endOf(fields)
  if (name === 'OK') return { status: 502, code: 'grpc-no-message', detail: 'The service gave no answer.' }
  const code = `grpc-${name.toLowerCase().replaceAll('_', '-')}`
  return { status: http, code, detail: message || `The call ended with ${name}.` }
}

const textOf = ({ method, rule, registry, defaults }: AnswerText, bytes: Buffer) =>
  answerJson(method.output, rule, bytes, registry, defaults)

/** The answer of a call that has one message. */
export function jsonAnswer(headers: Headers, message: Buffer, text: AnswerText): AnswerReply {
  const own = new Set(['content-type', 'content-length', 'date', 'trailer'])
  return {
    status: 200,
    headers: [...headers.filter(([name]) => !own.has(name)), ['content-type', 'application/json']],
    body: Buffer.from(textOf(text, message)),
  }
}

/** A line for each message; a call that fails on its way ends with a line `{"error": …}`. */
export const jsonLines = (response: PluginResponse, text: AnswerText): Transform =>
  translation(response, text, {
    message: (json) => `${json}\n`,
    failure: (json) => `{"error":${json}}\n`,
  })

/** An event for each message; a call that fails on its way ends with an event `error`. */
export const eventStream = (response: PluginResponse, text: AnswerText): Transform =>
  translation(response, text, {
    message: (json) => `data: ${json}\n\n`,
    failure: (json) => `event: error\ndata: ${json}\n\n`,
  })

interface Writer {
  message(json: string): string
  failure(json: string): string
}

function translation(response: PluginResponse, text: AnswerText, writer: Writer): Transform {
  const reader = new FrameReader(text.limit)
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        done(
          null,
          reader
            .read(chunk)
            .map((bytes) => writer.message(textOf(text, bytes)))
            .join(''),
        )
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      const { name, message } = endOf(response.takeTrailers())
      if (name === 'OK' && reader.isEmpty) return done()
      done(null, writer.failure(JSON.stringify({ status: name, message })))
    },
  })
}
