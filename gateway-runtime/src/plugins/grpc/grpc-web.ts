import { Transform } from 'node:stream'
import { z } from 'zod'
import { grpcStatusOf } from '../../data-plane/grpc.ts'
import { definePlugin, type Exchange, type PluginRequest, type PluginResponse } from '../contract.ts'
import { encodeMessage, trailersFrame } from './frames.ts'

/** How a client speaks gRPC-Web; `codec` as in `+proto`, or ''. */
interface Dialect {
  readonly isText: boolean
  readonly codec: string
}

const typePattern = /^application\/grpc-web(-text)?(\+[a-z0-9.-]{1,32})?(?:[ \t]*;.*)?$/i

const dialects = new WeakMap<Exchange, Dialect>()

/** gRPC for browsers, which see no trailers (github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md). */
export const grpcWeb = definePlugin({
  name: 'grpc-web',
  order: 130,
  description:
    'Lets browsers call gRPC services by gRPC-Web, binary or in base64; other requests pass as they are.',
  config: z.strictObject({
    text_body_bytes: z
      .int()
      .min(5)
      .max(2 ** 26)
      .default(4_194_304)
      .describe('Bytes of a request in base64 at most, which is decoded as a whole.'),
  }),
  examples: [{}],
  counters: { calls: 'Calls that were translated.' },
  create: (config, gateway) => ({
    onRequest(exchange) {
      const { request } = exchange
      const asked = dialectOf(request)
      if (!asked || request.method !== 'POST') return undefined
      gateway.count('calls')
      dialects.set(exchange, { ...asked, isText: asked.isText || acceptsText(request) })
      request.setHeader('content-type', `application/grpc${asked.codec}`)
      request.removeHeader('accept')
      request.acceptTrailers()
      if (!asked.isText) return undefined
      return request.body(config.text_body_bytes).then((body) => {
        const decoded = decodeText(body)
        if (!decoded) return malformed
        request.replaceBody(decoded)
        return undefined
      })
    },
    onResponse(exchange, response) {
      const dialect = dialects.get(exchange)
      if (!dialect || !/^application\/grpc([+;]|$)/i.test(response.header('content-type') ?? '')) return
      response.setHeader('content-type', typeOf(dialect))
      const status = response.header('grpc-status')
      if (status !== undefined) return answerWithHead(response, dialect)
      response.pipe(translation(response, dialect))
    },
    onUpstreamError(exchange, problem) {
      const dialect = dialects.get(exchange)
      if (!dialect) return undefined
      const trailers = trailersFrame([
        ['grpc-status', String(grpcStatusOf(problem.status))],
        ['grpc-message', encodeMessage(problem.detail)],
      ])
      const body = encoded(trailers, dialect)
      return { status: 200, headers: [['content-type', typeOf(dialect)]], body }
    },
  }),
})

const malformed = { status: 400, code: 'malformed-request', detail: 'The body of the request is no base64.' }

function dialectOf(request: PluginRequest): Dialect | undefined {
  const match = typePattern.exec(request.header('content-type') ?? '')
  return match ? { isText: match[1] !== undefined, codec: (match[2] ?? '').toLowerCase() } : undefined
}

const acceptsText = (request: PluginRequest) =>
  /^application\/grpc-web-text/i.test(request.header('accept')?.trim() ?? '')

const typeOf = ({ isText, codec }: Dialect) =>
  `application/grpc-web${isText ? '-text' : ''}${codec || '+proto'}`

const encoded = (bytes: Buffer, { isText }: Dialect) =>
  isText ? Buffer.from(bytes.toString('base64')) : bytes

/** A call that failed at once has its status in the head: pages of other origins may see only the body. */
function answerWithHead(response: PluginResponse, dialect: Dialect): void {
  const isStatus = (name: string) => name.startsWith('grpc-')
  const all = [...response.headers()]
  const body = encoded(trailersFrame(all.filter(([name]) => isStatus(name))), dialect)
  const headers = all.filter(([name]) => !isStatus(name) && name !== 'content-length' && name !== 'date')
  response.replaceWith({ status: 200, headers, body })
}

/** Frames pass as they are, and the trailers become the last. In base64 each piece is padded by itself. */
function translation(response: PluginResponse, dialect: Dialect): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, encoded(chunk, dialect))
    },
    flush(done) {
      const trailers = response.takeTrailers()
      const isWhole = trailers.some(([name]) => name === 'grpc-status')
      const lost = [['grpc-status', '2'] as const, ['grpc-message', 'the service sent no status'] as const]
      done(null, encoded(trailersFrame(isWhole ? trailers : [...trailers, ...lost]), dialect))
    },
  })
}

/** Pieces that are padded each by itself may follow one another. Undefined where it is no base64. */
function decodeText(text: Buffer): Buffer | undefined {
  const pieces: Buffer[] = []
  const whole = text.toString('latin1')
  let start = 0
  for (let i = 0; i < whole.length; i++) {
    const code = whole.charCodeAt(i)
    const isPadding = code === 0x3d
    if (!isPadding && !isBase64(code)) return undefined
    if (!isPadding || whole.charCodeAt(i + 1) === 0x3d) continue
    pieces.push(Buffer.from(whole.slice(start, i + 1), 'base64'))
    start = i + 1
  }
  pieces.push(Buffer.from(whole.slice(start), 'base64'))
  return Buffer.concat(pieces)
}

const isBase64 = (code: number) =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  code === 0x2b ||
  code === 0x2f
