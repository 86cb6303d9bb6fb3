import type { Fields } from '../fields.ts'
import type { Http2Connection } from './connection.ts'
import { Flag, FrameType, headerSize, maxFrameSize, newFrame } from './frames.ts'

/** Bytes a peer may send on a stream before we have taken them. */
export const streamWindow = 65_536

/**
 * One stream of a connection, of either side: what is sent waits here for the windows of the peer, and what is
 * received opens ours again as it is taken.
 */
export abstract class Http2Stream {
  readonly id: number
  /** Milliseconds of `performance.now()`; kept by the connection. */
  deadline = Number.POSITIVE_INFINITY
  sendWindow: number
  /** Whether the peer has sent all. */
  remoteClosed = false
  protected readonly connection: Http2Connection
  #queue: Buffer[] = []
  /** The last DATA frame, while it has not left: the end of the stream can still be put on it. */
  #lastFrame: Buffer | undefined
  #lastFlush = -1
  #ending = false
  #trailers: Fields | undefined
  #localClosed = false
  #received = 0
  #paused = false

  constructor(id: number, connection: Http2Connection) {
    this.id = id
    this.connection = connection
    this.sendWindow = connection.peerStreamWindow
  }

  /** A header block: of the head, of an interim answer, or trailers. Throws StreamError or Http2Error. */
  abstract onFields(fields: Fields, withinLimits: boolean, endStream: boolean): void
  abstract onData(chunk: Buffer): void
  /** The peer has sent all. */
  abstract onRemoteEnd(): void
  /** The stream is lost: reset by the peer, or with its connection. The stream is no longer the connection's. */
  abstract onReset(code: number, reason: string): void
  /** What was queued has left: there is room for more. */
  abstract onDrain(): void
  abstract onDeadline(): void
  /** Our side has sent all. */
  abstract onLocalEnd(): void

  get localClosed(): boolean {
    return this.#localClosed
  }

  /** Whether more may be given to `send`. */
  get hasRoom(): boolean {
    return this.#queue.length === 0 && this.connection.hasRoom
  }

  /** Sends a piece of a body as far as the windows allow; the rest is kept. The chunk is not held on to. */
  protected send(chunk: Buffer): void {
    if (this.#localClosed || this.#ending || chunk.length === 0) return
    const sent = this.#queue.length > 0 ? 0 : this.#sendNow(chunk)
    if (sent === chunk.length) return
    this.#queue.push(Buffer.from(chunk.subarray(sent)))
    this.connection.onBlocked(this)
  }

  /** Ends our side, behind what is queued. */
  protected end(trailers: Fields | undefined): void {
    if (this.#localClosed || this.#ending) return
    this.#ending = true
    this.#trailers = trailers
    if (this.#queue.length === 0) this.#sendEnd()
  }

  /** Our side ended with a header block. */
  protected endedWithHead(): void {
    this.#localClosed = true
    this.onLocalEnd()
    this.connection.onStreamHalfClosed(this)
  }

  /** A window has opened. Returns whether it is still not enough. */
  sendQueued(): boolean {
    while (this.#queue.length > 0) {
      const chunk = this.#queue[0]!
      const sent = this.#sendNow(chunk)
      if (sent < chunk.length) {
        this.#queue[0] = chunk.subarray(sent)
        return true
      }
      this.#queue.shift()
    }
    if (this.#ending) this.#sendEnd()
    else this.onDrain()
    return false
  }

  /** Takes no more of the body; the peer may send what its window still holds. */
  protected pauseReceiving(): void {
    this.#paused = true
  }

  protected resumeReceiving(): void {
    this.#paused = false
    this.#openWindow()
  }

  /** `length` bytes came, padding included. */
  onReceived(length: number): void {
    this.#received += length
    this.#openWindow()
  }

  /** Whether the peer sent more than it was allowed to. */
  get overran(): boolean {
    return this.#received > streamWindow
  }

  #openWindow(): void {
    if (this.#paused || this.remoteClosed || this.#received < streamWindow / 2) return
    this.connection.openWindow(this.id, this.#received)
    this.#received = 0
  }

  #sendNow(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length) {
      const window = Math.min(this.sendWindow, this.connection.sendWindow)
      const length = Math.min(chunk.length - at, window, maxFrameSize)
      if (length <= 0) break
      const frame = newFrame(FrameType.data, 0, this.id, length)
      chunk.copy(frame, headerSize, at, at + length)
      this.sendWindow -= length
      this.connection.sendWindow -= length
      this.#lastFlush = this.connection.write(frame)
      this.#lastFrame = frame
      at += length
    }
    return at
  }

  #sendEnd(): void {
    this.#localClosed = true
    if (this.#trailers) {
      this.connection.writeFields(this.id, true, (block) => {
        for (const [index, name] of this.#trailers!.names.entries())
          block.field(name, this.#trailers!.values[index]!)
      })
    } else if (this.#lastFrame && this.#lastFlush === this.connection.flushes) {
      this.#lastFrame[4]! |= Flag.endStream
    } else {
      this.connection.write(newFrame(FrameType.data, Flag.endStream, this.id, 0))
    }
    this.#lastFrame = undefined
    this.onLocalEnd()
    this.connection.onStreamHalfClosed(this)
  }
}
