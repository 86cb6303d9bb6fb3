import type { Socket } from 'node:net'
import { BodyRate, bodyTooSlow } from '../body-rate.ts'
import { directSocket } from '../direct-socket.ts'
import type { ClientTunnel, Downstream } from '../downstream.ts'
import type { ClientFacts, Exchange } from '../exchange.ts'
import type { Fields } from '../fields.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import { newRequestId } from '../request-id.ts'
import { RequestPipeline } from '../request-pipeline.ts'
import type { Deadline } from '../timer-wheel.ts'
import { drainGrace, type WorkerContext } from '../worker-context.ts'
import { fieldLine } from './field-lines.ts'
import { ParseError } from './parse-error.ts'
import { type BodyLength, chunked, type MessageHandler, type MessageHead, Parser } from './parser.ts'
import { HeadRefused, readRequestHead } from './request-head.ts'
import { currentDateLine, responseHeadText, statusLine } from './response-head-text.ts'
import { SocketWriter } from './socket-writer.ts'

type Phase = 'idle' | 'head' | 'body' | 'response' | 'tunnel' | 'lingering'
type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close'

// One for all connections of a thread: what is read is parsed, and passed on or copied, before the next read.
const readBuffer = Buffer.allocUnsafeSlow(65_536)
const lingerTime = 2_000
const mostDiscarded = 65_536 // of a body after its answer; past it, closing is cheaper than reading on
const parseProblems = {
  malformed: [400, 'malformed-request'],
  'header-too-large': [431, 'header-too-large'],
  'target-too-large': [414, 'uri-too-large'],
} as const

/** A client's HTTP/1.1 connection: one request after another, each answered before the next is read. */
export class ClientConnection implements MessageHandler, Downstream, ClientTunnel, Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #context: WorkerContext
  readonly #facts: ClientFacts
  readonly #onClosed: (connection: ClientConnection) => void
  readonly #writer: SocketWriter
  readonly #parser: Parser
  #phase: Phase = 'idle'
  #pipeline: RequestPipeline | undefined
  /** Bytes that came behind the request which is being answered. */
  #pending: Buffer | undefined
  #parsing = false
  #messageComplete = false
  #trailers: Fields | undefined
  #bodyRate: BodyRate | undefined
  #requestComplete = false
  #responseComplete = false
  /** Bytes of a body that came behind its answer. */
  #discarded = 0
  #keepAlive = true
  /** Whether the client, in clear, has asked for the connection to be closed behind this request. */
  #isLast = false
  #requests = 0
  #framing: BodyFraming = 'none'
  #bodyLeft = 0
  #closed = false

  /** `direct`: nothing was read of the socket, nor ever will be but here. */
  constructor(
    accepted: Socket,
    direct: boolean,
    facts: ClientFacts,
    context: WorkerContext,
    onClosed: (connection: ClientConnection) => void,
  ) {
    const socket = direct
      ? directSocket(accepted, readBuffer, (size) => this.#receive(readBuffer, size))
      : accepted
    this.#socket = socket
    this.#facts = facts
    this.#context = context
    this.#onClosed = onClosed
    this.#writer = new SocketWriter(socket)
    this.#parser = new Parser('request', context.runtime.parserLimits, this)
    if (!direct) socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#onClose())
    context.wheel.set(this, context.runtime.limits.header_timeout)
  }

  /**
   * Closes when the answer that is being given is complete. Where there is none, a request may be under way that the
   * client would not send again: it is waited for, a moment.
   */
  drain(): void {
    this.#keepAlive = false
    if (this.#pipeline || this.#parser.midMessage) return
    this.#context.wheel.set(this, drainGrace)
  }

  get tunnel(): ClientTunnel {
    return this
  }

  get hasRoom(): boolean {
    return this.#writer.hasRoom
  }

  onDeadline(): void {
    if (this.#phase === 'tunnel') this.abort('tunnel-idle')
    else if (this.#phase === 'head' && !this.#pipeline) {
      this.#refuse(problem(408, 'request-timeout', 'The head of the request did not arrive in time.'))
    } else if (this.#phase === 'body' && !this.#pipeline!.responseStarted) {
      this.#pipeline!.replace(problem(408, 'request-timeout', 'The body of the request stopped arriving.'))
    } else {
      this.#socket.destroy()
    }
  }

  // What the client sends.

  /** The chunk is used again as soon as this returns. */
  receive(chunk: Buffer): void {
    this.#receive(chunk, chunk.length)
  }

  /** `end`: how many of the bytes came. */
  #receive(bytes: Buffer, end: number): void {
    if (this.#phase === 'lingering') return
    if (this.#phase === 'tunnel') return this.#receiveInTunnel(bytes.subarray(0, end))
    if (this.#pipeline && this.#requestComplete) return this.#hold(bytes, 0, end)
    this.#parse(bytes, end)
  }

  /** Keeps what came behind a request until that is answered. */
  #hold(bytes: Buffer, start: number, end: number): void {
    const rest = bytes.subarray(start, end)
    this.#pending = Buffer.concat(this.#pending ? [this.#pending, rest] : [rest])
    this.#socket.pause()
  }

  #parse(bytes: Buffer, end: number): void {
    this.#parsing = true
    let at = 0
    try {
      while (at < end && this.#phase !== 'lingering' && !this.#closed) {
        if (this.#pipeline && this.#requestComplete) {
          this.#hold(bytes, at, end)
          break
        }
        at = this.#parser.execute(bytes, at, end)
        if (this.#messageComplete) this.#onMessageComplete()
      }
    } catch (error) {
      this.#onParseFailure(error)
    }
    this.#parsing = false
    this.#pipeline?.flushRequest()
    this.#writer.flush()
    if (!this.#pipeline && this.#phase === 'idle' && this.#parser.midMessage) this.#await('head')
  }

  #onParseFailure(error: unknown): void {
    if (error instanceof HeadRefused) return this.#refuse(error.problem, error.message)
    if (!(error instanceof ParseError)) throw error
    const [status, code] = parseProblems[error.kind]
    if (!this.#pipeline)
      return this.#refuse(problem(status, code, 'The request is not valid HTTP/1.1.'), error.message)
    if (this.#responseComplete) return this.#finishEarly()
    // The body of a request that is being forwarded is broken: the target must not take it for complete.
    this.#keepAlive = false
    this.#context.errorLog.write('warn', 'request refused', {
      status,
      reason: error.message,
      client: this.#facts.peerAddress,
      request_id: this.#pipeline.exchange.requestId,
    })
    this.#pipeline.replace(problem(status, code, 'The body of the request is not valid HTTP/1.1.'))
  }

  onHead(message: MessageHead): BodyLength {
    const head = readRequestHead(message)
    this.#bodyRate = undefined
    this.#requestComplete = false
    this.#responseComplete = false
    this.#discarded = 0
    this.#framing = 'none'
    const isOver = ++this.#requests >= this.#context.runtime.limits.connection_requests
    this.#keepAlive = head.keepAlive && !isOver && !this.#context.draining
    this.#isLast = !head.keepAlive && this.#facts.scheme === 'http'
    const pipeline = new RequestPipeline(head, this.#facts, this, this.#context)
    this.#pipeline = pipeline
    this.#await(head.isChunked || head.contentLength! > 0 ? 'body' : 'response')
    pipeline.start()
    return head.isChunked ? chunked : head.contentLength!
  }

  onBody(chunk: Buffer): void {
    const pipeline = this.#pipeline
    if (!pipeline) return
    if (this.#responseComplete) {
      this.#discarded += chunk.length
      pipeline.exchange.requestBytes += chunk.length
      if (this.#discarded > mostDiscarded) this.#finishEarly()
      return
    }
    if (this.#phase === 'body') this.#await('body')
    this.#bodyRate ??= new BodyRate(this.#context.runtime.limits)
    if (this.#bodyRate.isTooSlow(chunk.length)) {
      this.#keepAlive = false
      return pipeline.replace(bodyTooSlow)
    }
    pipeline.onBody(chunk)
  }

  onComplete(trailers: Fields | undefined): void {
    this.#messageComplete = true
    this.#trailers = trailers
  }

  #onMessageComplete(): void {
    this.#messageComplete = false
    if (!this.#pipeline) return
    this.#requestComplete = true
    if (this.#phase === 'body') this.#await('response')
    if (!this.#responseComplete) this.#pipeline.onEnd(this.#trailers)
    if (this.#responseComplete) this.#nextRequest()
  }

  pauseBody(): void {
    this.#socket.pause()
    this.#bodyRate?.pause()
    if (this.#phase === 'body') this.#context.wheel.clear(this) // it is the target that is slow
  }

  resumeBody(): void {
    if (this.#pending) return
    this.#socket.resume()
    this.#bodyRate?.resume()
    if (this.#phase === 'body') this.#await('body')
  }

  // What the client is sent.

  sendInterim(status: number, head?: MessageHead): void {
    if (this.#pipeline!.exchange.head.version === 10) return
    this.#writer.text(`${head ? responseHeadText(head) : statusLine(status)}\r\n`)
  }

  sendHead(head: MessageHead, contentLength: number | undefined): void {
    const { exchange } = this.#pipeline!
    this.#writer.begin()
    if (this.#mayLeaveRest) this.#keepAlive = false
    exchange.status = head.status
    this.#framing = this.#chooseFraming(exchange, head.status, contentLength)
    this.#bodyLeft = this.#framing === 'length' ? contentLength! : 0
    let text = responseHeadText(head, exchange)
    if (this.#framing === 'chunked') text += 'transfer-encoding: chunked\r\n'
    else if (contentLength !== undefined && head.status !== 204)
      text += `content-length: ${contentLength}\r\n`
    this.#writer.text(text + this.#ownFields(exchange))
  }

  open(head: MessageHead): void {
    const { exchange } = this.#pipeline!
    exchange.status = head.status
    this.#framing = 'until-close'
    this.#phase = 'tunnel'
    this.#writer.text(
      `${responseHeadText(head)}x-request-id: ${exchange.requestId}\r\n` +
        `connection: upgrade\r\nupgrade: ${exchange.tunnel}\r\n\r\n`,
    )
    this.#context.metrics.onTunnel()
    this.#touchTunnel()
    const early = this.#pending
    this.#pending = undefined
    // Not from within the read of the target.
    process.nextTick(() => {
      if (early) this.receive(early)
      if (this.hasRoom) this.#socket.resume()
    })
  }

  #receiveInTunnel(chunk: Buffer): void {
    this.#touchTunnel()
    this.#pipeline?.onBody(chunk)
    this.#pipeline?.flushRequest()
  }

  end(): void {
    this.#writer.end()
    if (this.#socket.readableEnded) this.#record()
  }

  #touchTunnel(): void {
    this.#context.wheel.set(this, this.#context.runtime.limits.tunnel_idle_timeout)
  }

  takeBack(): boolean {
    if (!this.#writer.takeBack()) return false
    const { exchange } = this.#pipeline!
    exchange.status = 0
    exchange.responseBytes = 0
    this.#framing = 'none'
    return true
  }

  #chooseFraming(exchange: Exchange, status: number, contentLength: number | undefined): BodyFraming {
    // RFC 9112 section 6.3: these have no body, whatever their header says.
    if (exchange.method === 'HEAD' || status === 204 || status === 304) return 'none'
    if (contentLength !== undefined) return 'length'
    if (exchange.head.version === 11) return 'chunked'
    this.#keepAlive = false
    return 'until-close'
  }

  /** The fields that the gateway adds, and the end of the head. */
  #ownFields(exchange: Exchange): string {
    let text = `x-request-id: ${exchange.requestId}\r\n`
    for (const { lines } of exchange.fixedFields) text += lines
    for (const [name, value] of exchange.extraFields) text += fieldLine(name, value)
    if (!this.#keepAlive) text += 'connection: close\r\n'
    else if (exchange.head.version === 10) text += 'connection: keep-alive\r\n'
    return `${text}\r\n`
  }

  sendBody(chunk: Buffer): void {
    this.#pipeline!.exchange.responseBytes += chunk.length
    if (this.#framing === 'chunked') this.#writer.framedChunk(chunk)
    else if (this.#framing !== 'none') this.#writer.chunk(chunk)
    this.#bodyLeft -= chunk.length
  }

  endResponse(trailers: Fields | undefined): void {
    const pipeline = this.#pipeline!
    pipeline.detach()
    if (this.#framing === 'chunked')
      this.#writer.lastChunk(pipeline.exchange.head.acceptsTrailers ? trailers : undefined)
    this.#onResponseComplete()
  }

  flush(): void {
    this.#writer.flush()
    if (this.#phase === 'tunnel') return this.#touchTunnel()
    if (this.#writer.hasRoom || this.#phase === 'lingering') return
    this.#context.wheel.set(this, this.#context.runtime.limits.body_timeout)
  }

  reply(reply: Problem): void {
    const pipeline = this.#pipeline!
    const { exchange } = pipeline
    exchange.code = reply.code
    exchange.status = reply.status
    pipeline.detach()
    // A client that waits for permission to send a body will not send it now; one too large is not read.
    const isUnwanted = exchange.head.expectsContinue || reply.status === 413
    if (this.#mayLeaveRest || (isUnwanted && !this.#requestComplete)) this.#keepAlive = false
    this.#writeProblem(reply, exchange)
    this.#onResponseComplete()
    if (!this.#parsing) this.#writer.flush()
  }

  /**
   * Whether there may be more left of a body that is answered now than is worth reading. A client must be told then
   * (RFC 9112 section 9.6): it would send its next request on a connection that closes.
   */
  get #mayLeaveRest(): boolean {
    if (this.#requestComplete) return false
    const { head, requestBytes } = this.#pipeline!.exchange
    return head.isChunked || head.contentLength! - requestBytes > mostDiscarded
  }

  #writeProblem(reply: Problem, exchange: Exchange): void {
    const body = problemBody(reply, exchange.requestId)
    exchange.responseBytes = body.length
    this.#writer.text(
      `${statusLine(reply.status)}${body === '' ? '' : 'content-type: application/problem+json\r\n'}` +
        `content-length: ${body.length}\r\n${currentDateLine()}` +
        this.#ownFields(exchange) +
        (exchange.method === 'HEAD' ? '' : body),
    )
  }

  /** Refuses what is no request that could be understood, and closes. */
  #refuse(reply: Problem, reason: string = reply.detail): void {
    const requestId = newRequestId()
    const body = problemBody(reply, requestId)
    this.#context.errorLog.write('warn', 'request refused', {
      status: reply.status,
      reason,
      client: this.#facts.peerAddress,
      request_id: requestId,
    })
    const { status, code } = reply
    this.#context.accessLog.writeRefused({ requestId, facts: this.#facts, status, code })
    this.#context.metrics.countRefused(status)
    this.#pipeline = undefined
    this.#writer.text(
      `${statusLine(reply.status)}content-type: application/problem+json\r\ncontent-length: ${body.length}\r\n` +
        `${currentDateLine()}x-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
    )
    this.#linger()
  }

  #onResponseComplete(): void {
    this.#responseComplete = true
    if (this.#framing === 'length' && this.#bodyLeft !== 0) return this.abort('upstream-aborted')
    if (this.#requestComplete) return this.#nextRequest()
    if (!this.#keepAlive) return this.#finishEarly()
    this.#await('body') // the rest of it is read, and dropped
    if (!this.#parsing) this.#socket.resume()
  }

  /** Answered before the request was complete: the rest of it is not worth reading. */
  #finishEarly(): void {
    this.#record()
    this.#linger()
  }

  #nextRequest(): void {
    this.#record()
    if (!this.#keepAlive) return this.#isLast ? this.#close() : this.#linger()
    this.#await('idle')
    const pending = this.#pending
    if (!pending) {
      this.#socket.resume()
      return
    }
    if (this.#parsing) return
    this.#pending = undefined
    // Not from within the read of an upstream: its parser is still at work. Resumed only then, too: bytes that the
    // socket holds would be read before these, which came first.
    process.nextTick(() => {
      this.#socket.resume()
      this.#parse(pending, pending.length)
    })
  }

  #record(): void {
    this.#pipeline!.record()
    this.#pipeline = undefined
    if (this.#phase === 'tunnel') this.#context.metrics.onTunnelClosed()
  }

  abort(code: string): void {
    const pipeline = this.#pipeline
    if (pipeline) {
      pipeline.exchange.code = code
      if (this.#isDelivered) {
        pipeline.detach()
        return this.#onResponseComplete()
      }
      this.#record()
    }
    this.#socket.destroy()
  }

  /**
   * Whether the client has been given all that its answer announced, and may have sent the next request: that a
   * target of HTTP/2 resets its stream behind the last byte must not cost that one.
   */
  get #isDelivered(): boolean {
    return this.#requestComplete && this.#framing === 'length' && this.#bodyLeft === 0
  }

  /** The client has said that it sends no more: nothing can come that would reset the connection. */
  #close(): void {
    this.#phase = 'lingering'
    this.#writer.close()
    this.#context.wheel.set(this, this.#context.runtime.limits.body_timeout)
  }

  /**
   * Closes so that the client gets to read the answer: a socket that is closed with unread bytes resets the
   * connection (RFC 9112 section 9.6).
   */
  #linger(): void {
    this.#phase = 'lingering'
    this.#pending = undefined
    this.#socket.resume()
    const { runtime, wheel } = this.#context
    wheel.set(this, runtime.limits.body_timeout)
    this.#writer.end(() => wheel.set(this, lingerTime))
  }

  #await(phase: 'idle' | 'head' | 'body' | 'response'): void {
    if (this.#phase === 'lingering') return
    this.#phase = phase
    const { limits } = this.#context.runtime
    if (phase === 'response') this.#context.wheel.clear(this)
    else if (phase === 'idle') this.#context.wheel.set(this, limits.idle_timeout)
    else this.#context.wheel.set(this, phase === 'head' ? limits.header_timeout : limits.body_timeout)
  }

  #onDrain(): void {
    if (this.#phase === 'response' || this.#phase === 'body') this.#await(this.#phase)
    this.#pipeline?.onClientDrain()
  }

  #onEnd(): void {
    // Half-closed: a client may say that it is done and still read its answer.
    if (!this.#pipeline) this.#writer.end()
    else if (this.#phase === 'tunnel') this.#endFromClient(this.#pipeline)
    else if (this.#requestComplete) this.#keepAlive = false
    else if (this.#responseComplete) this.#finishEarly()
    else this.#socket.destroy()
  }

  #endFromClient(pipeline: RequestPipeline): void {
    pipeline.onEnd(undefined)
    if (this.#writer.ended) this.#record()
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.wheel.clear(this)
    if (this.#pipeline && this.#phase === 'tunnel') this.#context.metrics.onTunnelClosed()
    if (this.#responseComplete) this.#pipeline?.record()
    else this.#pipeline?.abandon()
    this.#pipeline = undefined
    this.#onClosed(this)
  }
}
