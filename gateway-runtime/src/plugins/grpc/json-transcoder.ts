import { readFileSync } from 'node:fs'
import { createFileRegistry, fromBinary, type JsonValue } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type {
  Exchange,
  PluginContext,
  PluginHandlers,
  PluginRequest,
  PluginResponse,
  ProblemReply,
} from '../contract.ts'
import { FrameReader, frame } from './frames.ts'
import type { GrpcJsonSettings } from './grpc-json.ts'
import { boundMethods } from './http-rules.ts'
import { eventStream, jsonAnswer, jsonLines, problemOfCall } from './json-answers.ts'
import { requestMessage, UnreadableRequest } from './message-json.ts'
import { pathTemplate } from './path-template.ts'

/** How a call is answered. */
interface Call {
  readonly binding: Binding
  readonly wantsEvents: boolean
}

type Binding = ReturnType<typeof loadBindings>['bindings'][number]

const calls = new WeakMap<Exchange, Call>()
const grpcType = /^application\/grpc([+;]|$)/i

/** What turns requests into calls, and their answers into JSON. @throws where the descriptor set is of no use */
export function transcoder(
  config: GrpcJsonSettings,
  gateway: PluginContext,
): Required<Pick<PluginHandlers, 'onRequest' | 'onResponse'>> {
  const { registry, bindings } = loadBindings(config.descriptor_set, config.services)
  const read = (request: PluginRequest, { method, rule }: Binding, path: ReadonlyMap<string, string>) =>
    request.body(config.body_bytes).then((body) => {
      const query = new URLSearchParams(request.query)
      const bodies = rule.body === '' ? [undefined] : bodiesOf(body, method.methodKind)
      const messages = bodies.map((json) =>
        requestMessage(method.input, rule, { path, query, body: json }, registry),
      )
      return Buffer.concat(messages.map((message) => frame(message)))
    })
  return {
    onRequest(exchange) {
      const { request } = exchange
      if (grpcType.test(request.header('content-type') ?? '')) return undefined
      const found = findBinding(bindings, request)
      if (!found) return noMethod
      if ((request.header('content-encoding') ?? 'identity') !== 'identity') return encodedBody
      const { binding, path } = found
      return read(request, binding, path).then(
        (body) => {
          gateway.count('calls')
          const wantsEvents = /\btext\/event-stream\b/i.test(request.header('accept') ?? '')
          calls.set(exchange, { binding, wantsEvents })
          for (const name of ['accept', 'accept-encoding', 'grpc-accept-encoding']) request.removeHeader(name)
          request.setHeader('content-type', 'application/grpc+proto')
          request.callGrpc(`/${binding.method.parent.typeName}/${binding.method.name}`)
          request.replaceBody(body)
          return undefined
        },
        (error: unknown) => {
          if (!(error instanceof UnreadableRequest)) throw error
          return { status: 400, code: 'unreadable-request', detail: error.message }
        },
      )
    },
    async onResponse(exchange, response) {
      const call = calls.get(exchange)
      if (!call || !grpcType.test(response.header('content-type') ?? '')) return
      const failed = (problem: ProblemReply) => {
        gateway.count('failed')
        response.replaceWith(problem)
      }
      const status = response.header('grpc-status')
      if (status !== undefined && status !== '0') return failed(problemOfCall([...response.headers()]))
      const { binding, wantsEvents } = call
      const text = { ...binding, registry, defaults: config.emit_defaults, limit: config.message_bytes }
      const { methodKind } = binding.method
      if (methodKind === 'server_streaming' || methodKind === 'bidi_streaming') {
        dropFieldsOfGrpc(response)
        response.setHeader('content-type', wantsEvents ? 'text/event-stream' : 'application/x-ndjson')
        response.pipe(wantsEvents ? eventStream(response, text) : jsonLines(response, text))
        return
      }
      const reader = new FrameReader(config.message_bytes)
      const messages = reader.read(await response.body(config.message_bytes + 5))
      const trailers = response.takeTrailers()
      const end = trailers.find(([name]) => name === 'grpc-status')
      if (end?.[1] !== '0' || messages.length !== 1) return failed(problemOfCall(trailers))
      dropFieldsOfGrpc(response)
      response.replaceWith(jsonAnswer([...response.headers()], messages[0]!, text))
    },
  }
}

const noMethod = { status: 404, code: 'no-method', detail: 'No method of this service has such a path.' }
const encodedBody = {
  status: 415,
  code: 'encoded-body',
  detail: 'The body must not have a content-encoding.',
}

/** Throws an Error that names the file, and what is wrong with it. */
function loadBindings(file: string, services: readonly string[]) {
  const registry = (() => {
    try {
      return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)))
    } catch (error) {
      throw new Error(`descriptor_set: ${file} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  })()
  const missing = services.find((name) => !registry.getService(name))
  if (missing !== undefined) throw new Error(`services: there is no ${missing} in ${file}`)
  const bindings = boundMethods(registry)
    .filter(({ method }) => services.length === 0 || services.includes(method.parent.typeName))
    .map((bound) => ({ ...bound, match: pathTemplate(bound.rule.path) }))
  if (bindings.length === 0) throw new Error(`descriptor_set: no method in ${file} has google.api.http`)
  return { registry, bindings }
}

/** The first one in the order of the file. */
function findBinding(bindings: readonly Binding[], { method, path }: PluginRequest) {
  for (const binding of bindings) {
    if (binding.rule.verb !== method) continue
    const values = binding.match(path)
    if (values) return { binding, path: values }
  }
  return undefined
}

/** One message, or a line each where the client streams. @throws UnreadableRequest */
function bodiesOf(body: Buffer, kind: Binding['method']['methodKind']): (JsonValue | undefined)[] {
  const text = body.toString('utf8')
  if (kind !== 'client_streaming' && kind !== 'bidi_streaming') return [text === '' ? undefined : parse(text)]
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parse(line)]))
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text)
  } catch {
    throw new UnreadableRequest('the body is no JSON')
  }
}

function dropFieldsOfGrpc(response: PluginResponse): void {
  for (const [name] of [...response.headers()]) if (name.startsWith('grpc-')) response.removeHeader(name)
}
