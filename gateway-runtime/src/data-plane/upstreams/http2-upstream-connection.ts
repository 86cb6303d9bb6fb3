import type { TLSSocket } from 'node:tls'
import { Http2Connection } from '../http2/connection.ts'
import { ErrorCode } from '../http2/frames.ts'
import type { ConnectionEnds } from '../proxy-protocol/connection-ends.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { Http2UpstreamStream } from './http2-upstream-stream.ts'
import type { Transport } from './upstream-connection.ts'
import { classifySocketError, UpstreamError } from './upstream-error.ts'
import type { ConnectionTimeouts, UpstreamRequest } from './upstream-request.ts'

export interface Http2ConnectionOwner {
  readonly idleTimeout: number
  /** The connection takes no more requests. */
  onGone(connection: Http2UpstreamConnection): void
}

const limits = { headerBytes: 65_536, headerCount: 200, streams: 0 }
const blockTimeout = 10_000
const largestStream = 2 ** 31 - 1
const readBuffer = Buffer.allocUnsafeSlow(65_536) // one for all: what is read is passed on or copied before the next read

/** An HTTP/2 connection to a target, serving many requests at a time. */
export class Http2UpstreamConnection extends Http2Connection {
  connected = false
  /** Whether it has answered a request before. */
  reused = false
  protected readonly blockTimeout = blockTimeout
  readonly scheme: 'http' | 'https'
  /** The client that it was opened for. */
  readonly clientAddress: string
  readonly #owner: Http2ConnectionOwner
  readonly #changed = new Set<Http2UpstreamStream>()
  #socketError: Error | undefined
  #receivedAt = 0

  /** `ends`: of the client that it is opened for. */
  constructor(transport: Transport, ends: ConnectionEnds, wheel: TimerWheel, owner: Http2ConnectionOwner) {
    const callback = (size: number) => {
      this.receive(readBuffer.subarray(0, size))
      return true
    }
    const socket = transport.open({ buffer: readBuffer, callback }, ends)
    super(socket, false, limits, wheel)
    this.#owner = owner
    this.clientAddress = ends.sourceAddress
    this.scheme = transport.scheme
    socket.on(transport.connectEvent, () => this.#onConnect())
    socket.on('end', () => socket.destroy())
    socket.on('error', (error) => {
      this.#socketError = error
    })
  }

  /** Whether it takes another request now. */
  get hasCapacity(): boolean {
    return (
      !this.goingAway &&
      !this.closed &&
      this.streams.size < this.peerStreams &&
      this.#nextStream < largestStream
    )
  }

  /** Requests that are not answered yet. */
  get inFlight(): number {
    return this.streams.size
  }

  open(request: UpstreamRequest, timeouts: ConnectionTimeouts): Http2UpstreamStream {
    const stream = new Http2UpstreamStream(this.#nextStream, this, request, timeouts)
    this.lastLocalStream = stream.id
    this.streams.set(stream.id, stream)
    if (!this.connected) this.touch(stream, timeouts.connectTimeout)
    return stream
  }

  get #nextStream(): number {
    return this.lastLocalStream === 0 ? 1 : this.lastLocalStream + 2
  }

  /** Undefined until it is connected. */
  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress
  }

  /** Takes no more requests, and closes behind the last. */
  retire(): void {
    this.goAway(ErrorCode.noError)
  }

  /** Whether nothing came for this long. */
  isSilentSince(milliseconds: number): boolean {
    return performance.now() - this.#receivedAt >= milliseconds
  }

  override receive(chunk: Buffer): void {
    this.#receivedAt = performance.now()
    super.receive(chunk)
    for (const stream of this.#changed) stream.flushResponse()
    this.#changed.clear()
  }

  /** What came of a stream is passed on when all of this read has been looked at. */
  onChanged(stream: Http2UpstreamStream): void {
    this.#changed.add(stream)
  }

  /** Why a stream was lost. */
  failure(code: number, reason: string): UpstreamError {
    if (this.#socketError) return classifySocketError(this.#socketError, this.connected)
    if (!this.connected) return new UpstreamError('connection-failed', reason, true)
    return new UpstreamError('connection-reset', reason, code === ErrorCode.refusedStream)
  }

  #onConnect(): void {
    const { alpnProtocol } = this.socket as Partial<TLSSocket>
    if (alpnProtocol !== undefined && alpnProtocol !== 'h2') {
      this.#socketError = Object.assign(new Error(), {
        code: 'ERR_TLS_ALPN: the target does not speak HTTP/2',
      })
      this.socket.destroy()
      return
    }
    this.connected = true
    for (const stream of this.streams.values()) (stream as Http2UpstreamStream).onConnected()
  }

  protected onReady(): void {
    this.#announceIdle()
  }

  protected onIdle(): void {
    this.reused = true
    this.#announceIdle()
  }

  #announceIdle(): void {
    if (this.streams.size > 0) return
    if (this.goingAway) this.endSocket()
    else this.wheel.set(this, this.#owner.idleTimeout)
  }

  protected onConnectionDeadline(): void {
    this.#owner.onGone(this)
    this.goAway(ErrorCode.noError)
    if (this.streams.size > 0) this.socket.destroy()
  }

  protected onGoaway(lastStream: number): void {
    this.#owner.onGone(this)
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStream) continue
      this.forget(stream)
      stream.onReset(ErrorCode.refusedStream, 'the target closes the connection')
    }
  }

  protected onNewStream(): void {} // a server opens none: PUSH_PROMISE is refused

  protected onPeerError(): void {} // each of its requests fails, and is logged

  protected onClosed(): void {
    this.#owner.onGone(this)
  }
}
