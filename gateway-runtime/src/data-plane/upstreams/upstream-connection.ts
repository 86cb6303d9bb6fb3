import type { Socket } from 'node:net'
import type { Exchange } from '../exchange.ts'
import { type Fields, passedTrailers } from '../fields.ts'
import { ParseError } from '../http1/parse-error.ts'
import {
  type BodyLength,
  type MessageHandler,
  type MessageHead,
  Parser,
  untilClose,
} from '../http1/parser.ts'
import { requestHeadText } from '../http1/request-head-text.ts'
import { checkStatusLine, readResponseFraming } from '../http1/response-framing.ts'
import { SocketWriter } from '../http1/socket-writer.ts'
import type { ConnectionEnds } from '../proxy-protocol/connection-ends.ts'
import type { ProxyVersion } from '../proxy-protocol/header-bytes.ts'
import type { Deadline, TimerWheel } from '../timer-wheel.ts'
import { classifySocketError, UpstreamError } from './upstream-error.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'

export interface ConnectionOwner {
  onIdle(connection: UpstreamConnection): void
  onClosed(connection: UpstreamConnection): void
}

/** Reads of a socket go to one buffer, which `callback` is told the use of (Node.js, net.connect: onread). */
export interface OnRead {
  readonly buffer: Buffer
  readonly callback: (size: number) => boolean
}

export interface Transport {
  readonly scheme: 'http' | 'https'
  readonly connectEvent: 'connect' | 'secureConnect'
  /** Version of the PROXY header that a connection begins with: then it is for one client address only. */
  readonly proxyProtocol: ProxyVersion | undefined
  /** `ends`: what that header says. */
  open(onread: OnRead, ends: ConnectionEnds): Socket
}

const responseLimits = { headerBytes: 65_536, headerCount: 200, targetBytes: 0 }
// One for all connections of a thread: what is read is parsed, and passed on or copied, before the next read.
const readBuffer = Buffer.allocUnsafeSlow(65_536)
const mostInterimResponses = 10
const settingOf = {
  'connect-timeout': 'connectTimeout',
  'read-timeout': 'readTimeout',
  'write-timeout': 'writeTimeout',
} as const

/** One HTTP/1.1 connection to a target, serving one request at a time. */
export class UpstreamConnection implements UpstreamStream, MessageHandler, Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  readonly #writer: SocketWriter
  reused = false
  /** The client that it was opened for. */
  readonly clientAddress: string
  readonly #socket: Socket
  readonly #wheel: TimerWheel
  readonly #owner: ConnectionOwner
  readonly #parser: Parser
  #request: UpstreamRequest | undefined
  #timeouts: ConnectionTimeouts | undefined
  #connected = false
  #closed = false
  #keepAlive = true
  #requestSent = false
  #answered = false
  #interim = false
  #inTunnel = false
  #interimCount = 0
  #complete = false
  #chunked = false
  #trailers: Fields | undefined

  /** `ends`: of the client that it is opened for. */
  constructor(transport: Transport, ends: ConnectionEnds, wheel: TimerWheel, owner: ConnectionOwner) {
    const socket = transport.open({ buffer: readBuffer, callback: this.#onRead }, ends)
    this.clientAddress = ends.sourceAddress
    this.#socket = socket
    this.#wheel = wheel
    this.#owner = owner
    this.#writer = new SocketWriter(socket)
    this.#parser = new Parser('response', responseLimits, this)
    socket.setNoDelay(true)
    socket.on(transport.connectEvent, () => this.#onConnect())
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(classifySocketError(error, this.#connected)),
    )
    socket.on('close', () => this.#onClose())
  }

  /** Gives the connection a request. */
  assign(request: UpstreamRequest, timeouts: ConnectionTimeouts): void {
    this.#request = request
    this.#timeouts = timeouts
    this.#requestSent = false
    this.#keepAlive = request.tunnel === undefined
    this.#answered = false
    this.#complete = false
    this.#interimCount = 0
    if (this.#connected) this.#wheel.clear(this)
    else this.#wheel.set(this, timeouts.connectTimeout)
  }

  sendHead(exchange: Exchange, authority: string, path: string): void {
    this.#chunked = exchange.head.isChunked
    this.#writer.text(requestHeadText(exchange, authority, path))
  }

  sendBody(chunk: Buffer): void {
    if (this.#chunked) this.#writer.framedChunk(chunk)
    else this.#writer.chunk(chunk)
  }

  /** An answer that comes before this ends the connection. */
  endRequest(trailers: Fields | undefined): void {
    if (this.#chunked) this.#writer.lastChunk(trailers)
    this.#requestSent = true
    if (this.#inTunnel) {
      this.#writer.end()
    } else if (this.#connected && this.#writer.hasRoom) {
      this.#awaitRead()
    }
  }

  flush(): boolean {
    this.#writer.flush()
    if (this.#writer.hasRoom) return true
    if (this.#connected && this.#timeouts) this.#wheel.set(this, this.#timeouts.writeTimeout)
    return false
  }

  pause(): void {
    this.#socket.pause()
    this.#wheel.clear(this) // the client is the slow one: its own deadline holds
  }

  resume(): void {
    this.#socket.resume()
    this.#awaitRead()
  }

  abandon(): void {
    this.#request = undefined
    this.destroy()
  }

  /** Undefined until it is connected. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  /** Ends after the request that it serves. */
  retire(): void {
    this.#keepAlive = false
  }

  /** Arranges the end of an idle connection. */
  expireIn(milliseconds: number): void {
    this.#wheel.set(this, milliseconds)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  onDeadline(): void {
    const timeout = !this.#connected
      ? 'connect-timeout'
      : this.#writer.hasRoom
        ? 'read-timeout'
        : 'write-timeout'
    const after = this.#timeouts?.[settingOf[timeout]]
    this.#fail(new UpstreamError(timeout, `${timeout} after ${after} ms`, !this.#connected))
  }

  #onConnect(): void {
    this.#connected = true
    this.#wheel.clear(this)
    this.#awaitRead()
  }

  /**
   * In a tunnel, and until the request is complete, the side of the client watches over who is silent; but not while
   * the target takes no more, whatever it answers meanwhile.
   */
  #awaitRead(): void {
    if (this.#timeouts && !this.#inTunnel && this.#requestSent)
      this.#wheel.set(this, this.#timeouts.readTimeout)
    else if (this.#inTunnel || this.#writer.hasRoom) this.#wheel.clear(this)
    else if (this.#timeouts && this.deadline === Number.POSITIVE_INFINITY)
      this.#wheel.set(this, this.#timeouts.writeTimeout)
  }

  #onDrain(): void {
    if (!this.#request) return
    this.#awaitRead()
    this.#request.onUpstreamDrain()
  }

  readonly #onRead = (size: number): boolean => {
    this.#onData(size)
    return true
  }

  /** So many bytes came into the buffer. */
  #onData(size: number): void {
    const request = this.#request
    // Nothing was asked for: whatever this is, it answers no request.
    if (!request) return this.destroy()
    try {
      if (this.#inTunnel) request.onResponseBody(readBuffer.subarray(0, size))
      else this.#readAnswer(size)
    } catch (error) {
      return this.#fail(this.#toUpstreamError(error))
    }
    // The request may have ended, and the connection may be serving another one already.
    request.onResponseFlush()
  }

  #readAnswer(size: number): void {
    this.#awaitRead()
    let at = 0
    while (at < size) {
      at = this.#parser.execute(readBuffer, at, size)
      if (!this.#request) return // what was read had it given up
      if (!this.#complete) continue
      this.#complete = false
      if (this.#inTunnel) {
        if (at < size) this.#request!.onResponseBody(readBuffer.subarray(at, size))
        return
      }
      if (this.#interim) continue
      // Bytes behind a complete answer answer nothing: the connection cannot be trusted again.
      if (at < size) this.#keepAlive = false
      return this.#finish()
    }
  }

  #toUpstreamError(error: unknown): UpstreamError {
    if (error instanceof UpstreamError) return error
    if (error instanceof ParseError) return new UpstreamError('bad-response', error.message, false)
    throw error
  }

  #finish(): void {
    const request = this.#request!
    this.#request = undefined
    this.reused = true
    if (this.#keepAlive && this.#requestSent && !this.#closed) {
      this.#wheel.clear(this)
      this.#owner.onIdle(this)
    } else {
      this.destroy()
    }
    request.onResponseEnd(passedTrailers(this.#trailers))
  }

  onHead(head: MessageHead): BodyLength {
    const request = this.#request!
    checkStatusLine(head)
    const length = readResponseFraming(head)
    this.#answered = true
    this.#interim = head.status < 200
    if (this.#interim) {
      if (head.status === 101) {
        this.#openTunnel(head)
        return 0
      }
      if (++this.#interimCount > mostInterimResponses) {
        throw new UpstreamError('bad-response', `over ${mostInterimResponses} interim responses`, false)
      }
      if (head.status > 100) request.onInterimResponse(head)
      return 0
    }
    if (!head.keepAlive || length === untilClose) this.#keepAlive = false
    request.onResponseHead(head, length < 0 ? undefined : length)
    return request.expectsNoBody || head.status === 204 || head.status === 304 ? 0 : length
  }

  #openTunnel(head: MessageHead): void {
    const request = this.#request!
    const given = head.names.findIndex(({ lower }) => lower === 'upgrade')
    if (request.tunnel === undefined || head.values[given]?.toLowerCase() !== request.tunnel)
      throw new UpstreamError('bad-response', 'switched protocols unasked', false)
    this.#inTunnel = true
    this.#wheel.clear(this)
    this.#socket.allowHalfOpen = true
    request.onTunnelOpen(head)
  }

  onBody(chunk: Buffer): void {
    this.#request?.onResponseBody(chunk)
  }

  onComplete(trailers: Fields | undefined): void {
    this.#trailers = trailers
    this.#complete = true
  }

  #onEnd(): void {
    const request = this.#request
    if (!request) return this.destroy()
    if (this.#inTunnel) return request.onTunnelEnd()
    this.#keepAlive = false
    const wholeMessage = this.#answered && this.#parser.finish() && this.#complete
    if (!wholeMessage) return this.#fail(new UpstreamError('connection-reset', 'closed by the target', false))
    this.#complete = false
    this.#finish()
    request.onResponseFlush()
  }

  #fail(error: UpstreamError): void {
    const request = this.#request
    this.#request = undefined
    this.destroy()
    request?.onUpstreamError(error)
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#wheel.clear(this)
    this.#owner.onClosed(this)
    if (this.#inTunnel && this.#socket.readableEnded && this.#socket.writableFinished) return
    this.#fail(
      new UpstreamError(
        this.#connected ? 'connection-reset' : 'connection-failed',
        'closed',
        !this.#connected,
      ),
    )
  }
}
