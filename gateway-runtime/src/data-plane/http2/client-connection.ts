import type { Socket } from 'node:net'
import type { ClientFacts } from '../exchange.ts'
import type { Fields } from '../fields.ts'
import { headerName } from '../http1/header-name.ts'
import { HeadRefused, type RequestHead } from '../http1/request-head.ts'
import { currentDate } from '../http1/response-head-text.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import { newRequestId } from '../request-id.ts'
import type { WorkerContext } from '../worker-context.ts'
import { ClientStream } from './client-stream.ts'
import { Http2Connection } from './connection.ts'
import { ErrorCode, Flag, FrameType, headerSize, newFrame, numberFrame } from './frames.ts'
import { readHttp2Request } from './request-head.ts'

const contentLength = headerName('content-length')
const contentType = headerName('content-type')
const date = headerName('date')
const requestIdName = headerName('x-request-id')

/** A client's HTTP/2 connection. */
export class Http2ClientConnection extends Http2Connection {
  #requests = 0
  readonly #facts: ClientFacts
  readonly #context: WorkerContext
  readonly #onClosed: (connection: Http2ClientConnection) => void

  constructor(
    socket: Socket,
    facts: ClientFacts,
    context: WorkerContext,
    onClosed: (connection: Http2ClientConnection) => void,
  ) {
    const { limits } = context.runtime
    super(
      socket,
      true,
      { headerBytes: limits.header_bytes, headerCount: limits.header_count, streams: limits.streams },
      context.wheel,
    )
    this.#facts = facts
    this.#context = context
    this.#onClosed = onClosed
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('end', () => socket.end())
    this.wheel.set(this, limits.header_timeout)
  }

  protected get blockTimeout(): number {
    return this.#context.runtime.limits.header_timeout
  }

  /** Takes no new requests, and closes when the last is answered. */
  drain(): void {
    this.goAway(ErrorCode.noError)
  }

  protected onReady(): void {
    if (this.streams.size === 0) this.onIdle()
  }

  protected onIdle(): void {
    if (this.goingAway) this.endSocket()
    else this.wheel.set(this, this.#context.runtime.limits.idle_timeout)
  }

  protected onConnectionDeadline(): void {
    this.goAway(ErrorCode.noError)
    if (this.streams.size > 0) this.socket.destroy() // a header block that does not end
  }

  protected onGoaway(): void {}

  protected onNewStream(id: number, fields: Fields, withinLimits: boolean, endStream: boolean): void {
    if (!withinLimits)
      return this.#refuse(id, endStream, problem(431, 'header-too-large', 'The header is too large.'))
    const head = this.#readHead(id, fields, endStream)
    if (!head) return
    const stream = new ClientStream(id, this, { head, facts: this.#facts, endStream }, this.#context)
    this.streams.set(id, stream)
    stream.start()
    if (++this.#requests >= this.#context.runtime.limits.connection_requests) this.goAway(ErrorCode.noError)
  }

  #readHead(id: number, fields: Fields, endStream: boolean): RequestHead | undefined {
    try {
      return readHttp2Request(fields, endStream)
    } catch (error) {
      if (!(error instanceof HeadRefused)) throw error
      this.#refuse(id, endStream, error.problem, error.message)
      return undefined
    }
  }

  /** Answers what is no request that could be understood. */
  #refuse(id: number, endStream: boolean, reply: Problem, reason = reply.detail): void {
    const requestId = newRequestId()
    const body = problemBody(reply, requestId)
    this.#log(reason, { status: reply.status, request_id: requestId })
    this.#context.accessLog.writeRefused({
      requestId,
      facts: this.#facts,
      status: reply.status,
      code: reply.code,
    })
    this.#context.metrics.countRefused(reply.status)
    this.writeFields(id, false, (block) => {
      block.field(':status', String(reply.status))
      block.field(contentType, 'application/problem+json')
      block.field(contentLength, String(body.length), 'literal')
      block.field(date, currentDate(), 'literal')
      block.field(requestIdName, requestId, 'literal')
    })
    const frame = newFrame(FrameType.data, Flag.endStream, id, body.length)
    frame.write(body, headerSize, 'latin1')
    this.sendWindow -= body.length
    this.write(frame)
    if (!endStream) this.write(numberFrame(FrameType.rstStream, id, ErrorCode.noError))
  }

  protected onPeerError(error: Error, stream?: ClientStream): void {
    const requestId = stream?.requestId ?? newRequestId()
    this.#log(error.message, { request_id: requestId })
    if (stream) return stream.onPeerError()
    const refused = { requestId, facts: this.#facts, status: 400, code: 'malformed-request' }
    this.#context.accessLog.writeRefused(refused)
    this.#context.metrics.countRefused(400)
  }

  #log(reason: string, details: Record<string, string | number>): void {
    this.#context.errorLog.write('warn', 'request refused', {
      ...details,
      reason,
      protocol: 'HTTP/2',
      client: this.#facts.peerAddress,
    })
  }

  protected onClosed(): void {
    this.#onClosed(this)
  }
}
