import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Reply } from '../../plugins/contract.ts'
import { type ClientFacts, Exchange } from '../exchange.ts'
import { type Downstream, Forwarding } from '../forwarding.ts'
import { type Problem, problem, problemBody } from '../problem.ts'
import { isRequestId, newRequestId } from '../request-id.ts'
import type { NamedHook, RouteRuntime } from '../runtime.ts'
import type { Deadline } from '../timer-wheel.ts'
import type { WorkerContext } from '../worker-context.ts'
import { HeaderKind } from './header-name.ts'
import { type MessageHandler, type MessageHead, ParseError, Parser, parserType } from './parser.ts'
import { HeadRefused, type RequestHead, readRequestHead } from './request-head.ts'
import { SocketWriter } from './socket-writer.ts'

type Phase = 'idle' | 'head' | 'body' | 'response' | 'lingering'
type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close'

const lingerTime = 2_000
const mostDiscarded = 65_536 // of a body after its answer; past it, closing is cheaper than reading on
const parseProblems = {
  malformed: [400, 'malformed-request'],
  'header-too-large': [431, 'header-too-large'],
  'target-too-large': [414, 'uri-too-large'],
} as const

const statusLines = new Map<number, string>()
function statusLine(status: number): string {
  let line = statusLines.get(status)
  if (!line) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    statusLines.set(status, line)
  }
  return line
}

let dateLine = ''
let dateUntil = 0
function currentDateLine(): string {
  const now = Date.now()
  if (now >= dateUntil) {
    dateLine = `date: ${new Date(now).toUTCString()}\r\n`
    dateUntil = now - (now % 1_000) + 1_000
  }
  return dateLine
}

/** A client's HTTP/1.1 connection: one request after another, each answered before the next is read. */
export class ClientConnection implements MessageHandler, Downstream, Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #context: WorkerContext
  readonly #facts: ClientFacts
  readonly #onClosed: (connection: ClientConnection) => void
  readonly #writer: SocketWriter
  readonly #parser: Parser
  #phase: Phase = 'idle'
  #exchange: Exchange | undefined
  #forwarding: Forwarding | undefined
  /** Bytes that came behind the request which is being answered. */
  #pending: Buffer | undefined
  /** Pieces of a body that came while a plugin was still deciding; reading has stopped behind them. */
  #held: Buffer[] | undefined
  #parsing = false
  #messageComplete = false
  #requestComplete = false
  #responseComplete = false
  #keepAlive = true
  #framing: BodyFraming = 'none'
  #bodyLeft = 0
  #closed = false

  constructor(
    socket: Socket,
    facts: ClientFacts,
    context: WorkerContext,
    onClosed: (connection: ClientConnection) => void,
  ) {
    this.#socket = socket
    this.#facts = facts
    this.#context = context
    this.#onClosed = onClosed
    this.#writer = new SocketWriter(socket, true)
    this.#parser = new Parser(parserType.request, context.runtime.parserLimits, this)
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#onClose())
    context.wheel.set(this, context.runtime.limits.header_timeout)
  }

  /** Closes when the answer that is being given is complete; at once where there is none. */
  drain(): void {
    this.#keepAlive = false
    if (!this.#exchange && !this.#parser.midMessage) this.#socket.end()
  }

  get hasRoom(): boolean {
    return this.#writer.hasRoom
  }

  onDeadline(): void {
    if (this.#phase === 'head' && !this.#exchange) {
      this.#refuse(problem(408, 'request-timeout', 'The head of the request did not arrive in time.'))
    } else if (this.#phase === 'body' && !this.#responseStarted) {
      this.#forwarding?.abandon()
      this.#forwarding = undefined
      this.reply(problem(408, 'request-timeout', 'The body of the request stopped arriving.'))
      this.#writer.flush()
    } else {
      this.#socket.destroy()
    }
  }

  // What the client sends.

  #onData(chunk: Buffer): void {
    if (this.#phase === 'lingering') return
    if (this.#exchange && this.#requestComplete) {
      this.#pending = this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk
      this.#socket.pause()
      return
    }
    this.#parse(chunk)
  }

  #parse(chunk: Buffer): void {
    this.#parsing = true
    let rest = chunk
    try {
      while (rest.length > 0 && this.#phase !== 'lingering' && !this.#closed) {
        if (this.#exchange && this.#requestComplete) {
          this.#pending = rest
          this.#socket.pause()
          break
        }
        rest = rest.subarray(this.#parser.execute(rest))
        if (this.#messageComplete) this.#onMessageComplete()
      }
    } catch (error) {
      this.#onParseFailure(error)
    }
    this.#parsing = false
    this.#forwarding?.flushRequest()
    this.#writer.flush()
    if (!this.#exchange && this.#phase === 'idle' && this.#parser.midMessage) this.#await('head')
  }

  #onParseFailure(error: unknown): void {
    if (error instanceof HeadRefused) return this.#refuse(error.problem, error.message)
    if (!(error instanceof ParseError)) throw error
    const [status, code] = parseProblems[error.kind]
    if (!this.#exchange)
      return this.#refuse(problem(status, code, 'The request is not valid HTTP/1.1.'), error.message)
    // The body of a request that is being forwarded is broken: the target must not take it for complete.
    this.#forwarding?.abandon()
    this.#forwarding = undefined
    if (this.#responseStarted) return this.abort('malformed-request')
    this.#keepAlive = false
    this.reply(problem(status, code, 'The body of the request is not valid HTTP/1.1.'))
  }

  onHead(message: MessageHead): boolean {
    const { runtime } = this.#context
    const head = readRequestHead(message)
    const exchange = this.#newExchange(head)
    this.#exchange = exchange
    this.#requestComplete = false
    this.#responseComplete = false
    this.#framing = 'none'
    this.#keepAlive = head.keepAlive && !this.#context.draining
    const limit = runtime.limits.body_bytes
    if (head.contentLength !== undefined && head.contentLength > limit) {
      this.#replyTooLarge()
      return true
    }
    const match = runtime.router.match(exchange)
    exchange.route = match?.value
    exchange.matchedLength = match?.matchedLength ?? 0
    this.#await(head.isChunked || head.contentLength! > 0 ? 'body' : 'response')
    this.#runHooks(exchange, match?.value.onRequest ?? runtime.globalOnRequest, 0)
    return true
  }

  #newExchange(head: RequestHead): Exchange {
    const { trustedProxies } = this.#context.runtime
    const { peerAddress } = this.#facts
    const peerIsTrusted = trustedProxies.trusts(peerAddress)
    if (!peerIsTrusted) {
      return new Exchange(head, this.#facts, {
        clientAddress: peerAddress,
        requestId: newRequestId(),
        peerIsTrusted,
      })
    }
    const valuesOf = (wanted: HeaderKind) =>
      head.values.filter((_, index) => head.names[index]!.kind === wanted)
    const clientAddress = trustedProxies.clientAddress(
      peerAddress,
      valuesOf(HeaderKind.forwardedFor).join(','),
    )
    const [given] = valuesOf(HeaderKind.requestId)
    const requestId = given !== undefined && isRequestId(given) ? given : newRequestId()
    return new Exchange(head, this.#facts, { clientAddress, requestId, peerIsTrusted })
  }

  #runHooks(exchange: Exchange, hooks: readonly NamedHook[], from: number): void {
    for (let index = from; index < hooks.length; index++) {
      const { plugin, hook } = hooks[index]!
      try {
        const outcome = hook(exchange)
        if (outcome === undefined) continue
        if (!(outcome instanceof Promise)) return this.reply(outcome)
        outcome.then(
          (reply) => this.#resumeHooks(exchange, reply, hooks, index + 1),
          (error) => exchange === this.#exchange && this.#onPluginFailure(plugin, error),
        )
        return
      } catch (error) {
        return this.#onPluginFailure(plugin, error)
      }
    }
    if (exchange.route) this.#forward(exchange, exchange.route)
    else this.reply(problem(404, 'no-route', 'No route of this gateway matches the request.'))
  }

  #resumeHooks(
    exchange: Exchange,
    reply: Reply | undefined,
    hooks: readonly NamedHook[],
    next: number,
  ): void {
    if (exchange !== this.#exchange || this.#responseStarted) return
    if (reply) this.reply(reply)
    else this.#runHooks(exchange, hooks, next)
    this.#forwarding?.flushRequest()
    this.#writer.flush()
  }

  #onPluginFailure(plugin: string, error: unknown): void {
    const { errorLog, metrics } = this.#context
    const exchange = this.#exchange!
    metrics.countPluginFailure()
    errorLog.write('error', 'plugin failed', {
      plugin,
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      route: exchange.routeName,
      request_id: exchange.requestId,
    })
    this.reply(problem(500, 'plugin-failed', 'The gateway could not process the request.'))
    if (!this.#parsing) this.#writer.flush()
  }

  #forward(exchange: Exchange, route: RouteRuntime): void {
    if (exchange.head.expectsContinue) this.#writer.text('HTTP/1.1 100 Continue\r\n\r\n')
    this.#forwarding = new Forwarding(exchange, route, this, this.#context)
    this.#forwarding.start()
    if (this.#held) {
      for (const chunk of this.#held) this.#forwarding.onRequestBody(chunk)
      this.#held = undefined
      this.#socket.resume()
    }
    if (this.#requestComplete) this.#forwarding.onRequestEnd()
  }

  onBody(chunk: Buffer): void {
    const exchange = this.#exchange
    if (!exchange) return
    exchange.requestBytes += chunk.length
    if (this.#responseComplete) {
      if (exchange.requestBytes > mostDiscarded) this.#finishEarly()
      return
    }
    if (exchange.requestBytes > this.#context.runtime.limits.body_bytes) {
      this.#forwarding?.abandon()
      this.#forwarding = undefined
      if (this.#responseStarted) return this.abort('body-too-large')
      return this.#replyTooLarge()
    }
    if (this.#phase === 'body') this.#await('body')
    if (this.#forwarding) return this.#forwarding.onRequestBody(chunk)
    this.#held = [...(this.#held ?? []), chunk]
    this.#socket.pause()
  }

  onComplete(): void {
    this.#messageComplete = true
  }

  #onMessageComplete(): void {
    this.#messageComplete = false
    if (!this.#exchange) return
    this.#requestComplete = true
    if (this.#phase === 'body') this.#await('response')
    this.#forwarding?.onRequestEnd()
    if (this.#responseComplete) this.#nextRequest()
  }

  pauseBody(): void {
    this.#socket.pause()
    if (this.#phase === 'body') this.#context.wheel.clear(this) // it is the target that is slow
  }

  resumeBody(): void {
    if (this.#pending || this.#held) return
    this.#socket.resume()
    if (this.#phase === 'body') this.#await('body')
  }

  // What the client is sent.

  get #responseStarted(): boolean {
    return this.#exchange !== undefined && this.#exchange.status !== 0
  }

  sendHead(head: MessageHead, contentLength: number | undefined): void {
    const exchange = this.#exchange!
    exchange.status = head.status
    this.#framing = this.#chooseFraming(exchange, head.status, contentLength)
    this.#bodyLeft = this.#framing === 'length' ? contentLength! : 0
    let text = statusLine(head.status) + responseFields(head)
    if (this.#framing === 'chunked') text += 'transfer-encoding: chunked\r\n'
    else if (contentLength !== undefined && head.status !== 204)
      text += `content-length: ${contentLength}\r\n`
    this.#writer.text(text + this.#ownFields(exchange))
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
    let text = `${exchange.extraHeaderLines}x-request-id: ${exchange.requestId}\r\n`
    if (!this.#keepAlive) text += 'connection: close\r\n'
    else if (exchange.head.version === 10) text += 'connection: keep-alive\r\n'
    return `${text}\r\n`
  }

  sendBody(chunk: Buffer): void {
    const exchange = this.#exchange!
    exchange.responseBytes += chunk.length
    if (this.#framing === 'chunked') this.#writer.framedChunk(chunk)
    else if (this.#framing !== 'none') this.#writer.chunk(chunk)
    this.#bodyLeft -= chunk.length
  }

  endResponse(): void {
    this.#forwarding = undefined
    if (this.#framing === 'chunked') this.#writer.lastChunk()
    this.#onResponseComplete()
  }

  flush(): void {
    this.#writer.flush()
    if (this.#writer.hasRoom || this.#phase === 'lingering') return
    this.#context.wheel.set(this, this.#context.runtime.limits.body_timeout)
  }

  reply(reply: Problem): void {
    const exchange = this.#exchange!
    exchange.code = reply.code
    exchange.status = reply.status
    this.#forwarding = undefined
    if (this.#held) {
      this.#held = undefined
      this.#socket.resume()
    }
    // A client that waits for permission to send a body will not send it now.
    if (!this.#requestComplete && exchange.head.expectsContinue) this.#keepAlive = false
    this.#writeProblem(reply, exchange)
    this.#onResponseComplete()
    if (!this.#parsing) this.#writer.flush()
  }

  #replyTooLarge(): void {
    this.#keepAlive = false
    this.reply(problem(413, 'body-too-large', 'The body of the request is larger than this gateway takes.'))
  }

  #writeProblem(reply: Problem, exchange: Exchange): void {
    const body = problemBody(reply, exchange.requestId)
    exchange.responseBytes = body.length
    this.#writer.text(
      `${statusLine(reply.status)}content-type: application/problem+json\r\ncontent-length: ${body.length}\r\n` +
        currentDateLine() +
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
    this.#exchange = undefined
    this.#writer.text(
      `${statusLine(reply.status)}content-type: application/problem+json\r\ncontent-length: ${body.length}\r\n` +
        `${currentDateLine()}x-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
    )
    this.#writer.flush()
    this.#linger()
  }

  #onResponseComplete(): void {
    this.#responseComplete = true
    if (this.#framing === 'length' && this.#bodyLeft !== 0) return this.abort('upstream-aborted')
    if (this.#requestComplete) this.#nextRequest()
    else if (!this.#keepAlive || !this.#parsing) this.#finishEarly()
  }

  /** Answered before the request was complete: the rest of it is not worth reading. */
  #finishEarly(): void {
    this.#record()
    this.#writer.flush()
    this.#linger()
  }

  #nextRequest(): void {
    this.#record()
    if (!this.#keepAlive) {
      this.#writer.flush()
      return this.#linger()
    }
    this.#await('idle')
    const pending = this.#pending
    if (!pending) {
      this.#socket.resume()
      return
    }
    if (this.#parsing) return
    this.#pending = undefined
    this.#socket.resume()
    // Not from within the read of an upstream: its parser is still at work.
    process.nextTick(() => this.#parse(pending))
  }

  #record(): void {
    const exchange = this.#exchange!
    this.#exchange = undefined
    this.#forwarding = undefined
    const duration = performance.now() - exchange.startedAt
    this.#context.metrics.record(exchange, duration)
    this.#context.accessLog.write(exchange, duration)
  }

  abort(code: string): void {
    if (this.#exchange) {
      this.#exchange.code = code
      this.#record()
    }
    this.#socket.destroy()
  }

  /**
   * Closes so that the client gets to read the answer: a socket that is closed with unread bytes resets the
   * connection (RFC 9112 section 9.6).
   */
  #linger(): void {
    this.#phase = 'lingering'
    this.#pending = undefined
    this.#socket.resume()
    this.#socket.end()
    this.#context.wheel.set(this, lingerTime)
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
    this.#forwarding?.onClientDrain()
  }

  #onEnd(): void {
    // Half-closed: a client may say that it is done and still read its answer.
    if (!this.#exchange) this.#socket.end()
    else if (!this.#requestComplete) this.#socket.destroy()
    else this.#keepAlive = false
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.wheel.clear(this)
    this.#parser.free()
    this.#forwarding?.abandon()
    if (this.#exchange) {
      if (!this.#responseStarted) this.#exchange.status = 499
      this.#exchange.code ??= 'client-closed'
      this.#record()
    }
    this.#onClosed(this)
  }
}

/** The fields of an upstream's answer that are passed on: hop by hop ones are not, framing is written anew. */
function responseFields(head: MessageHead): string {
  const { names, values } = head
  let text = ''
  let hasDate = false
  let dropped: readonly string[] | undefined
  for (let index = 0; index < names.length; index++) {
    if (names[index]!.kind !== HeaderKind.connection || /^(close|keep-alive)$/i.test(values[index]!)) continue
    const options = values[index]!.split(',').map((option) => option.trim().toLowerCase())
    dropped = [...(dropped ?? []), ...options]
  }
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    switch (name.kind) {
      case HeaderKind.connection:
      case HeaderKind.contentLength:
      case HeaderKind.transferEncoding:
      case HeaderKind.hopByHop:
      case HeaderKind.requestId:
        continue
    }
    if (dropped?.includes(name.lower)) continue
    hasDate ||= name.kind === HeaderKind.date
    text += `${name.raw}: ${values[index]}\r\n`
  }
  return hasDate ? text : text + currentDateLine()
}
