import type { Socket } from 'node:net'
import type { FieldSink, Fields } from '../fields.ts'
import type { HeaderName } from '../http1/header-name.ts'
import type { Deadline, TimerWheel } from '../timer-wheel.ts'
import { TokenBucket } from '../token-bucket.ts'
import { sendSoon } from '../write-batch.ts'
import { FrameReader } from './frame-reader.ts'
import {
  defaultWindow,
  ErrorCode,
  Flag,
  FrameType,
  goawayFrame,
  Http2Error,
  headerSize,
  largestWindow,
  maxFrameSize,
  newFrame,
  numberFrame,
  preface,
  protocolError,
  Setting,
  StreamError,
  settingsFrame,
} from './frames.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { HpackError } from './hpack/hpack-error.ts'
import { type Http2Stream, streamWindow } from './stream.ts'

export interface ConnectionLimits {
  readonly headerBytes: number
  readonly headerCount: number
  /** Streams that the peer may open at once; 0 where it may open none. */
  readonly streams: number
}

const connectionWindow = 1_048_576
const tableSize = 4_096
const mostUnread = 1_000 // answers to PING and SETTINGS of a peer that reads nothing
const endTime = 1_000

class FieldList implements FieldSink, Fields {
  readonly names: HeaderName[] = []
  readonly values: string[] = []

  field(name: HeaderName, value: string): void {
    this.names.push(name)
    this.values.push(value)
  }

  onField(name: HeaderName, value: string): void {
    this.field(name, value)
  }
}

/** A header block whose last frame has not come. */
interface OpenBlock {
  readonly stream: number
  readonly endStream: boolean
  readonly pieces: Buffer[]
  size: number
  readonly deadline: number
}

/**
 * An HTTP/2 connection of either side (RFC 9113): frames, settings, windows, and header compression. What its
 * streams mean is the business of the two that extend it.
 *
 * Whatever costs us work and the peer next to nothing (pings, settings, empty frames, streams opened and reset) is
 * paid from buckets that fill slowly; where one is empty, the connection ends with ENHANCE_YOUR_CALM.
 */
export abstract class Http2Connection implements Deadline {
  deadline = Number.POSITIVE_INFINITY
  wakeAt = Number.POSITIVE_INFINITY
  sendWindow = defaultWindow
  /** The window of a stream of the peer that begins now. */
  peerStreamWindow = defaultWindow
  peerStreams = 100
  /** Counts what has left, so that a frame can still be changed before it does. */
  flushes = 0
  protected readonly socket: Socket
  protected readonly wheel: TimerWheel
  protected readonly streams = new Map<number, Http2Stream>()
  protected lastRemoteStream = 0
  protected closed = false
  /** No new streams: one side has said goodbye. */
  protected goingAway = false
  readonly #isServer: boolean
  readonly #limits: ConnectionLimits
  readonly #reader: FrameReader
  readonly #decoder: HpackDecoder
  readonly #encoder = new HpackEncoder(tableSize)
  readonly #blocked = new Set<Http2Stream>()
  readonly #control = new TokenBucket(2_000, 500)
  readonly #resets = new TokenBucket(500, 50)
  #unread = 0
  #output: Buffer[] = []
  #prefaceLeft: number
  #settingsSeen = false
  #block: OpenBlock | undefined
  #received = 0

  constructor(socket: Socket, isServer: boolean, limits: ConnectionLimits, wheel: TimerWheel) {
    this.socket = socket
    this.wheel = wheel
    this.#isServer = isServer
    this.#limits = limits
    this.#prefaceLeft = isServer ? preface.length : 0
    this.#reader = new FrameReader({
      onFrame: (type, flags, stream, payload) => this.#onFrame(type, flags, stream, payload),
    })
    this.#decoder = new HpackDecoder(tableSize)
    if (!isServer) this.write(preface)
    this.write(
      settingsFrame([
        isServer ? [Setting.maxConcurrentStreams, limits.streams] : [Setting.enablePush, 0],
        [Setting.initialWindowSize, streamWindow],
        [Setting.maxHeaderListSize, limits.headerBytes],
      ]),
    )
    this.openWindow(0, connectionWindow - defaultWindow)
    socket.on('drain', () => this.#onDrain())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#onClose())
  }

  /** The peer opens a stream. Throws StreamError or Http2Error. */
  protected abstract onNewStream(id: number, fields: Fields, withinLimits: boolean, endStream: boolean): void
  /** The connection is lost; its streams were told. */
  protected abstract onClosed(): void
  /** No stream is left. */
  protected abstract onIdle(): void
  /** Our own deadline; those of streams are seen to. */
  protected abstract onConnectionDeadline(): void
  /** The peer takes no new streams; those up to `lastStream` go on. */
  protected abstract onGoaway(lastStream: number): void
  /** What the peer broke, for the log; `stream`: the one that it is lost with, if not the connection. */
  protected abstract onPeerError(error: Error, stream?: Http2Stream): void

  get hasRoom(): boolean {
    return !this.socket.writableNeedDrain
  }

  // What we send.

  /** Returns the count of flushes before which this frame can still be changed. */
  write(frame: Buffer): number {
    // All that this turn of the event loop has to say leaves in one write.
    if (this.#output.length === 0) sendSoon(this)
    this.#output.push(frame)
    return this.flushes
  }

  send(): void {
    const output = this.#output
    if (output.length === 0) return
    this.flushes++
    this.#output = []
    if (this.socket.destroyed) return
    this.socket.write(output.length === 1 ? output[0]! : Buffer.concat(output))
  }

  /** Sends a header block, in as many frames as it takes. */
  writeFields(stream: number, endStream: boolean, write: (block: HpackEncoder) => void): void {
    this.#encoder.begin()
    write(this.#encoder)
    const block = this.#encoder.end()
    let type: number = FrameType.headers
    let at = 0
    do {
      const length = Math.min(block.length - at, maxFrameSize)
      const flags =
        (at + length === block.length ? Flag.endHeaders : 0) | (endStream && at === 0 ? Flag.endStream : 0)
      const frame = newFrame(type, flags, stream, length)
      block.copy(frame, headerSize, at, at + length)
      this.write(frame)
      type = FrameType.continuation
      at += length
    } while (at < block.length)
  }

  openWindow(stream: number, bytes: number): void {
    this.write(numberFrame(FrameType.windowUpdate, stream, bytes))
  }

  /** A stream waits for a window. */
  onBlocked(stream: Http2Stream): void {
    this.#blocked.add(stream)
  }

  onStreamHalfClosed(stream: Http2Stream): void {
    if (stream.remoteClosed && stream.localClosed) this.forget(stream)
  }

  /** Ends a stream for both sides; what it is about is the caller's business. */
  resetStream(stream: Http2Stream, code: number): void {
    if (!this.streams.has(stream.id)) return
    this.forget(stream)
    this.write(numberFrame(FrameType.rstStream, stream.id, code))
  }

  protected forget(stream: Http2Stream): void {
    this.#blocked.delete(stream)
    if (this.streams.delete(stream.id) && this.streams.size === 0 && !this.closed) this.onIdle()
  }

  /** Says goodbye; streams that are open go on, and the connection closes behind the last. */
  protected goAway(code: number): void {
    if (this.goingAway) return
    this.goingAway = true
    this.write(goawayFrame(this.lastRemoteStream, code))
    if (this.streams.size === 0) this.endSocket()
  }

  protected endSocket(): void {
    this.send()
    this.socket.end()
    this.wheel.set(this, endTime)
    this.closed = true
  }

  #fail(error: Http2Error): void {
    this.onPeerError(error)
    this.write(goawayFrame(this.lastRemoteStream, error.code))
    this.#loseStreams(error.message)
    this.endSocket()
  }

  // Deadlines of the connection and all of its streams: one entry in the wheel.

  touch(stream: Http2Stream, milliseconds: number): void {
    stream.deadline = performance.now() + milliseconds
    if (stream.deadline < this.deadline) this.wheel.set(this, milliseconds)
  }

  untouch(stream: Http2Stream): void {
    stream.deadline = Number.POSITIVE_INFINITY
  }

  onDeadline(): void {
    if (this.closed) return void this.socket.destroy()
    const now = performance.now()
    if (this.streams.size === 0 || (this.#block && this.#block.deadline <= now))
      return this.onConnectionDeadline()
    for (const stream of [...this.streams.values()]) {
      if (stream.deadline > now) continue
      stream.deadline = Number.POSITIVE_INFINITY
      stream.onDeadline()
    }
    if (this.streams.size > 0) this.#setNextDeadline()
  }

  #setNextDeadline(): void {
    let next = this.#block?.deadline ?? Number.POSITIVE_INFINITY
    for (const stream of this.streams.values()) next = Math.min(next, stream.deadline)
    if (next === Number.POSITIVE_INFINITY) this.wheel.clear(this)
    else this.wheel.set(this, Math.max(next - performance.now(), 0))
  }

  // What the peer sends.

  receive(chunk: Buffer): void {
    if (this.closed) return
    try {
      const rest = this.#prefaceLeft > 0 ? this.#readPreface(chunk) : chunk
      if (rest.length > 0) this.#reader.read(rest)
    } catch (error) {
      if (error instanceof Http2Error) this.#fail(error)
      else if (error instanceof HpackError)
        this.#fail(new Http2Error(ErrorCode.compressionError, error.message))
      else throw error
    }
  }

  #readPreface(chunk: Buffer): Buffer {
    const at = preface.length - this.#prefaceLeft
    const length = Math.min(chunk.length, this.#prefaceLeft)
    if (preface.compare(chunk, 0, length, at, at + length) !== 0) throw protocolError('no HTTP/2 preface')
    this.#prefaceLeft -= length
    return chunk.subarray(length)
  }

  #onFrame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.closed) return
    if (this.#block && (type !== FrameType.continuation || id !== this.#block.stream))
      throw protocolError('a header block was interrupted')
    if (!this.#settingsSeen && type !== FrameType.settings) throw protocolError('SETTINGS did not come first')
    switch (type) {
      case FrameType.data:
        return this.#onData(flags, id, payload)
      case FrameType.headers:
        return this.#onHeaders(flags, id, payload)
      case FrameType.continuation:
        return this.#onContinuation(flags, payload)
      case FrameType.rstStream:
        return this.#onRstStream(id, payload)
      case FrameType.settings:
        return this.#onSettings(flags, id, payload)
      case FrameType.ping:
        return this.#onPing(flags, id, payload)
      case FrameType.goaway:
        return this.#onGoawayFrame(id, payload)
      case FrameType.windowUpdate:
        return this.#onWindowUpdate(id, payload)
      case FrameType.pushPromise:
        throw protocolError('PUSH_PROMISE')
      case FrameType.priority:
        if (id === 0) throw protocolError('PRIORITY of no stream')
        if (payload.length !== 5) throw new Http2Error(ErrorCode.frameSizeError, 'PRIORITY')
        return this.#spend('PRIORITY')
      default:
        return this.#spend('unknown frames') // RFC 9113 section 4.1: ignored
    }
  }

  /** Pays for a frame that carries nothing. */
  #spend(what: string): void {
    if (!this.#control.take()) throw new Http2Error(ErrorCode.enhanceYourCalm, `too many: ${what}`)
  }

  #spendReset(): void {
    if (!this.#resets.take()) throw new Http2Error(ErrorCode.enhanceYourCalm, 'too many streams were reset')
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    if (id === 0 || this.#isUnknown(id)) throw protocolError('DATA of no stream')
    this.#received += payload.length
    if (this.#received > connectionWindow) throw new Http2Error(ErrorCode.flowControlError, 'window overrun')
    if (this.#received >= connectionWindow / 2) {
      this.openWindow(0, this.#received)
      this.#received = 0
    }
    const data = withoutPadding(flags, payload)
    const endStream = (flags & Flag.endStream) !== 0
    if (data.length === 0 && !endStream) this.#spend('empty DATA')
    const stream = this.streams.get(id)
    if (!stream) return // of a stream that we reset
    if (stream.remoteClosed) return this.#onStreamError(id, new StreamError(ErrorCode.streamClosed, 'closed'))
    if (endStream) stream.remoteClosed = true
    stream.onReceived(payload.length)
    if (stream.overran)
      return this.#onStreamError(id, new StreamError(ErrorCode.flowControlError, 'window overrun'))
    this.#guard(id, () => {
      if (data.length > 0) stream.onData(data)
      if (endStream) this.#remoteEnd(stream)
    })
  }

  #remoteEnd(stream: Http2Stream): void {
    if (!this.streams.has(stream.id)) return
    stream.onRemoteEnd()
    this.onStreamHalfClosed(stream)
  }

  #onHeaders(flags: number, id: number, payload: Buffer): void {
    if (id === 0) throw protocolError('HEADERS of no stream')
    let block = withoutPadding(flags, payload)
    if (flags & Flag.priority) {
      if (block.length < 5) throw new Http2Error(ErrorCode.frameSizeError, 'HEADERS')
      block = block.subarray(5)
    }
    const deadline = performance.now() + this.blockTimeout
    this.#block = { stream: id, endStream: (flags & Flag.endStream) !== 0, pieces: [], size: 0, deadline }
    this.#onBlockPiece(flags, block)
  }

  #onContinuation(flags: number, payload: Buffer): void {
    if (!this.#block) throw protocolError('CONTINUATION of nothing')
    if (payload.length === 0) this.#spend('empty CONTINUATION')
    this.#onBlockPiece(flags, payload)
  }

  #onBlockPiece(flags: number, piece: Buffer): void {
    const block = this.#block!
    block.size += piece.length
    // The table of the peer's compressor would be lost with a block that is not read: so is the connection.
    if (block.size > this.#limits.headerBytes + 1_024)
      throw new Http2Error(ErrorCode.enhanceYourCalm, `a header block over ${this.#limits.headerBytes} bytes`)
    if (flags & Flag.endHeaders) {
      this.#block = undefined
      this.#onBlock(block, block.pieces.length > 0 ? Buffer.concat([...block.pieces, piece]) : piece)
    } else {
      block.pieces.push(Buffer.from(piece))
      if (block.deadline < this.deadline) this.wheel.set(this, this.blockTimeout)
    }
  }

  /** How long a header block may take to be complete. */
  protected abstract readonly blockTimeout: number

  #onBlock({ stream: id, endStream }: OpenBlock, bytes: Buffer): void {
    const fields = new FieldList()
    const { headerBytes, headerCount } = this.#limits
    const withinLimits = this.#decoder.decode(bytes, { listBytes: headerBytes, fields: headerCount }, fields)
    const stream = this.streams.get(id)
    if (stream) {
      if (stream.remoteClosed)
        return this.#onStreamError(id, new StreamError(ErrorCode.streamClosed, 'HEADERS after the end'))
      if (endStream) stream.remoteClosed = true
      return this.#guard(id, () => {
        stream.onFields(fields, withinLimits, endStream)
        if (endStream) this.#remoteEnd(stream)
      })
    }
    if (!this.#isServer) {
      if (this.#isUnknown(id)) throw protocolError('HEADERS of a stream that was not opened')
      return // an answer to a request that was given up
    }
    this.#openStream(id, fields, withinLimits, endStream)
  }

  #openStream(id: number, fields: Fields, withinLimits: boolean, endStream: boolean): void {
    if (id % 2 === 0) throw protocolError('a client opened an even stream')
    if (id <= this.lastRemoteStream) return this.#spendReset() // trailers of a stream that we reset
    this.lastRemoteStream = id
    if (this.goingAway) return
    if (this.streams.size >= this.#limits.streams) {
      this.#spendReset()
      this.write(numberFrame(FrameType.rstStream, id, ErrorCode.refusedStream))
      return
    }
    this.#guard(id, () => this.onNewStream(id, fields, withinLimits, endStream))
  }

  #guard(id: number, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      this.#onStreamError(id, error)
    }
  }

  /** The peer broke the rules of one stream. Such streams are counted like those that it resets itself. */
  #onStreamError(id: number, error: StreamError): void {
    this.#spendReset()
    const stream = this.streams.get(id)
    this.onPeerError(error, stream)
    this.write(numberFrame(FrameType.rstStream, id, error.code))
    if (!stream) return
    this.forget(stream)
    stream.onReset(error.code, error.message)
  }

  /** Whether neither side has opened this stream. */
  #isUnknown(id: number): boolean {
    return this.#isServer
      ? id > this.lastRemoteStream || id % 2 === 0
      : id > this.lastLocalStream || id % 2 === 0
  }

  /** The highest stream that we opened; 0 at a server. */
  protected lastLocalStream = 0

  #onRstStream(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(ErrorCode.frameSizeError, 'RST_STREAM')
    if (id === 0 || this.#isUnknown(id)) throw protocolError('RST_STREAM of no stream')
    const stream = this.streams.get(id)
    if (!stream) return this.#spend('RST_STREAM')
    if (this.#isServer) this.#spendReset()
    const code = payload.readUInt32BE(0)
    this.forget(stream)
    stream.onReset(code, `reset with code ${code}`)
  }

  #onPing(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('PING of a stream')
    if (payload.length !== 8) throw new Http2Error(ErrorCode.frameSizeError, 'PING')
    this.#spend('PING')
    if (flags & Flag.ack) return
    const frame = newFrame(FrameType.ping, Flag.ack, 0, 8)
    payload.copy(frame, headerSize)
    this.#acknowledge(frame)
  }

  #acknowledge(frame: Buffer): void {
    this.#unread = this.hasRoom ? 0 : this.#unread + 1
    if (this.#unread > mostUnread) throw new Http2Error(ErrorCode.enhanceYourCalm, 'asks and does not read')
    this.write(frame)
  }

  #onGoawayFrame(id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('GOAWAY of a stream')
    if (payload.length < 8) throw new Http2Error(ErrorCode.frameSizeError, 'GOAWAY')
    this.goingAway = true
    this.onGoaway(payload.readUInt32BE(0) & 0x7fffffff)
    if (this.streams.size === 0 && !this.closed) this.endSocket()
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(ErrorCode.frameSizeError, 'WINDOW_UPDATE')
    const bytes = payload.readUInt32BE(0) & 0x7fffffff
    if (id === 0) {
      if (bytes === 0) throw protocolError('WINDOW_UPDATE of nothing')
      this.sendWindow += bytes
      if (this.sendWindow > largestWindow)
        throw new Http2Error(ErrorCode.flowControlError, 'window too large')
      return this.#unblock()
    }
    if (this.#isUnknown(id)) throw protocolError('WINDOW_UPDATE of no stream')
    const stream = this.streams.get(id)
    if (!stream) return this.#spend('WINDOW_UPDATE')
    if (bytes === 0)
      return this.#onStreamError(id, new StreamError(ErrorCode.protocolError, 'WINDOW_UPDATE of nothing'))
    stream.sendWindow += bytes
    if (stream.sendWindow > largestWindow)
      return this.#onStreamError(id, new StreamError(ErrorCode.flowControlError, 'window too large'))
    if (this.#blocked.has(stream)) this.#unblock()
    else if (bytes < 1_024) this.#spend('small WINDOW_UPDATE')
  }

  /** Lets the streams that wait send what the windows hold, in turn. */
  #unblock(): void {
    for (const stream of [...this.#blocked]) {
      if (this.sendWindow <= 0) return
      this.#blocked.delete(stream)
      // Behind the others, where it still has something to send.
      if (stream.sendQueued()) this.#blocked.add(stream)
    }
  }

  #onSettings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('SETTINGS of a stream')
    const isAck = (flags & Flag.ack) !== 0
    if (payload.length % 6 !== 0 || (isAck && payload.length > 0))
      throw new Http2Error(ErrorCode.frameSizeError, 'SETTINGS')
    if (isAck) return
    if (this.#settingsSeen) this.#spend('SETTINGS')
    if (payload.length > 6 * 32) throw new Http2Error(ErrorCode.enhanceYourCalm, 'over 32 settings')
    for (let at = 0; at < payload.length; at += 6)
      this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    this.#acknowledge(newFrame(FrameType.settings, Flag.ack, 0, 0))
    if (!this.#settingsSeen) {
      this.#settingsSeen = true
      this.onReady()
    }
    this.#unblock()
  }

  /** The peer's first settings have come. */
  protected abstract onReady(): void

  #onSetting(id: number, value: number): void {
    switch (id) {
      case Setting.headerTableSize:
        return this.#encoder.setPeerTableSize(value)
      case Setting.enablePush:
        if (value > 1 || (value === 1 && !this.#isServer)) throw protocolError('ENABLE_PUSH')
        return
      case Setting.maxConcurrentStreams:
        this.peerStreams = value
        return
      case Setting.initialWindowSize:
        if (value > largestWindow) throw new Http2Error(ErrorCode.flowControlError, 'INITIAL_WINDOW_SIZE')
        for (const stream of this.streams.values()) {
          stream.sendWindow += value - this.peerStreamWindow
          if (stream.sendWindow > largestWindow)
            throw new Http2Error(ErrorCode.flowControlError, 'window too large')
        }
        this.peerStreamWindow = value
        return
      case Setting.maxFrameSize:
        if (value < maxFrameSize || value > 16_777_215) throw protocolError('MAX_FRAME_SIZE')
        return
    }
  }

  #onDrain(): void {
    for (const stream of [...this.streams.values()]) if (stream.hasRoom) stream.onDrain()
  }

  #loseStreams(reason: string): void {
    this.closed = true
    for (const stream of [...this.streams.values()]) {
      this.streams.delete(stream.id)
      stream.onReset(ErrorCode.cancel, reason)
    }
    this.#blocked.clear()
  }

  #onClose(): void {
    this.#loseStreams('the connection was closed')
    this.wheel.clear(this)
    this.onClosed()
  }
}

function withoutPadding(flags: number, payload: Buffer): Buffer {
  if (!(flags & Flag.padded)) return payload
  const padding = payload[0]
  if (padding === undefined || padding >= payload.length) throw protocolError('padding as long as its frame')
  return payload.subarray(1, payload.length - padding)
}
