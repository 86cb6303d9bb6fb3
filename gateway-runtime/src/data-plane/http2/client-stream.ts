import { BodyRate, bodyTooSlow } from '../body-rate.ts'
import type { Downstream } from '../downstream.ts'
import type { ClientFacts } from '../exchange.ts'
import { type Fields, writeResponseFields } from '../fields.ts'
import { grpcStatusOf, isGrpc } from '../grpc.ts'
import { headerName } from '../http1/header-name.ts'
import type { MessageHead } from '../http1/parser.ts'
import type { RequestHead } from '../http1/request-head.ts'
import { currentDate } from '../http1/response-head-text.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import { RequestPipeline } from '../request-pipeline.ts'
import type { WorkerContext } from '../worker-context.ts'
import type { Http2Connection } from './connection.ts'
import { fieldProblem } from './field-rules.ts'
import { ErrorCode, StreamError } from './frames.ts'
import type { HpackEncoder } from './hpack/encoder.ts'
import { Http2Stream } from './stream.ts'

const contentLengthName = headerName('content-length')
const contentType = headerName('content-type')
const date = headerName('date')
const requestIdName = headerName('x-request-id')
const grpcStatus = headerName('grpc-status')
const grpcMessage = headerName('grpc-message')

/** A request that came by HTTP/2, and its answer. */
export class ClientStream extends Http2Stream implements Downstream {
  readonly tunnel = undefined
  readonly #context: WorkerContext
  readonly #pipeline: RequestPipeline
  readonly #head: RequestHead
  #trailers: Fields | undefined
  #bodyReceived = 0
  #bodyRate: BodyRate | undefined
  #waitsForRoom = false

  constructor(
    id: number,
    connection: Http2Connection,
    request: { head: RequestHead; facts: ClientFacts; endStream: boolean },
    context: WorkerContext,
  ) {
    super(id, connection)
    this.#head = request.head
    this.#context = context
    this.remoteClosed = request.endStream
    this.#pipeline = new RequestPipeline(request.head, request.facts, this, context)
  }

  get requestId(): string {
    return this.#pipeline.exchange.requestId
  }

  start(): void {
    this.#pipeline.start()
    if (this.remoteClosed) this.#pipeline.onEnd(undefined)
    else if (!this.localClosed) this.#awaitBody()
    this.#pipeline.flushRequest()
  }

  // What the client sends.

  onFields(fields: Fields, withinLimits: boolean, endStream: boolean): void {
    if (!endStream) throw new StreamError(ErrorCode.protocolError, 'HEADERS in the middle of a body')
    for (const [index, name] of fields.names.entries()) {
      const problem = name.lower.startsWith(':') ? name.lower : fieldProblem(name.raw, fields.values[index]!)
      if (problem) throw new StreamError(ErrorCode.protocolError, `trailers: ${problem}`)
    }
    if (withinLimits) this.#trailers = fields
  }

  onData(chunk: Buffer): void {
    this.#bodyReceived += chunk.length
    if (this.#bodyReceived > (this.#head.contentLength ?? Number.POSITIVE_INFINITY))
      throw new StreamError(ErrorCode.protocolError, 'more body than content-length says')
    if (this.localClosed) return
    this.#awaitBody()
    this.#bodyRate ??= new BodyRate(this.#context.runtime.limits)
    if (this.#bodyRate.isTooSlow(chunk.length)) return this.#pipeline.replace(bodyTooSlow)
    this.#pipeline.onBody(chunk)
    this.#pipeline.flushRequest()
  }

  onRemoteEnd(): void {
    const announced = this.#head.contentLength
    // Before the target is told that the request is complete (RFC 9113 section 8.1.1).
    if (announced !== undefined && announced !== this.#bodyReceived)
      throw new StreamError(ErrorCode.protocolError, 'less body than content-length says')
    if (this.localClosed) return
    if (!this.#waitsForRoom) this.connection.untouch(this)
    this.#pipeline.onEnd(this.#trailers)
    this.#pipeline.flushRequest()
  }

  /** The client broke the rules: the request, which is lost with its stream, counts as malformed. */
  onPeerError(): void {
    const { exchange } = this.#pipeline
    exchange.code ??= 'malformed-request'
    if (exchange.status === 0) exchange.status = 400
  }

  onReset(_code: number, _reason: string): void {
    this.#pipeline.abandon()
  }

  onDrain(): void {
    if (!this.#waitsForRoom) return
    this.#waitsForRoom = false
    if (this.remoteClosed) this.connection.untouch(this)
    this.#pipeline.onClientDrain()
  }

  onDeadline(): void {
    if (!this.#pipeline.responseStarted)
      return this.#pipeline.replace(
        problem(408, 'request-timeout', 'The body of the request stopped arriving.'),
      )
    this.#pipeline.abandon()
    this.connection.resetStream(this, ErrorCode.cancel)
  }

  pauseBody(): void {
    this.pauseReceiving()
    this.#bodyRate?.pause()
    this.connection.untouch(this) // it is the target that is slow
  }

  resumeBody(): void {
    this.resumeReceiving()
    this.#bodyRate?.resume()
    if (!this.remoteClosed) this.#awaitBody()
  }

  #awaitBody(): void {
    this.connection.touch(this, this.#context.runtime.limits.body_timeout)
  }

  // What the client is sent.

  sendInterim(status: number, head?: MessageHead): void {
    this.connection.writeFields(this.id, false, (block) => {
      block.field(':status', String(status))
      if (head) writeResponseFields(head, block)
    })
  }

  sendHead(head: MessageHead, contentLength: number | undefined): void {
    const { exchange } = this.#pipeline
    exchange.status = head.status
    this.#writeHead(head.status, this.#hasNoBody(head.status, contentLength), (block) => {
      if (!writeResponseFields(head, block, exchange)) block.field(date, currentDate(), 'literal')
      if (contentLength !== undefined && head.status !== 204)
        block.field(contentLengthName, String(contentLength), 'literal')
    })
  }

  /** Where the end is known with the head. An upstream of HTTP/2 may still have trailers for an empty body. */
  #hasNoBody(status: number, contentLength: number | undefined): boolean {
    return this.#head.method === 'HEAD' || status === 204 || status === 304 || contentLength === 0
  }

  #writeHead(status: number, endStream: boolean, write: (block: HpackEncoder) => void): void {
    const { exchange } = this.#pipeline
    this.connection.writeFields(this.id, endStream, (block) => {
      block.field(':status', String(status))
      write(block)
      for (const fixed of exchange.fixedFields) fixed.write(block)
      for (const [name, value] of exchange.extraFields) block.field(name, value, 'literal')
      block.field(requestIdName, exchange.requestId, 'literal')
    })
    if (endStream) this.endedWithHead()
  }

  /** The client's side of HPACK depends on every block that was written. */
  takeBack(): boolean {
    return false
  }

  sendBody(chunk: Buffer): void {
    this.#pipeline.exchange.responseBytes += chunk.length
    this.send(chunk)
  }

  endResponse(trailers: Fields | undefined): void {
    this.#pipeline.detach()
    this.end(trailers)
  }

  flush(): void {
    if (this.hasRoom || this.localClosed || this.#waitsForRoom) return
    this.#waitsForRoom = true
    this.connection.touch(this, this.#context.runtime.limits.body_timeout)
  }

  reply(reply: Problem): void {
    const { exchange } = this.#pipeline
    exchange.code = reply.code
    exchange.status = reply.status
    this.#pipeline.detach()
    if (isGrpc(this.#head)) this.#replyGrpc(reply)
    else this.#replyProblem(reply)
  }

  #replyProblem(reply: Problem): void {
    const { exchange } = this.#pipeline
    const body = problemBody(reply, exchange.requestId)
    exchange.responseBytes = body.length
    const headOnly = body === '' || this.#head.method === 'HEAD'
    this.#writeHead(reply.status, headOnly, (block) => {
      if (body !== '') block.field(contentType, 'application/problem+json')
      block.field(contentLengthName, String(body.length), 'literal')
      block.field(date, currentDate(), 'literal')
    })
    if (headOnly) return
    this.send(Buffer.from(body, 'latin1'))
    this.end(undefined)
  }

  /** What a gRPC client expects of a server that fails: status and message in trailers, and nothing else. */
  #replyGrpc(reply: Problem): void {
    this.#writeHead(200, true, (block) => {
      block.field(contentType, 'application/grpc')
      block.field(grpcStatus, String(grpcStatusOf(reply.status)))
      block.field(grpcMessage, encodeURI(reply.detail))
    })
  }

  /** The answer is complete; a request that is not is not worth reading on (RFC 9113 section 8.1). */
  onLocalEnd(): void {
    this.#pipeline.record()
    this.connection.untouch(this)
    if (!this.remoteClosed) this.connection.resetStream(this, ErrorCode.noError)
  }

  abort(code: string): void {
    this.#pipeline.exchange.code = code
    this.#pipeline.record()
    this.connection.resetStream(this, ErrorCode.internalError)
  }
}
