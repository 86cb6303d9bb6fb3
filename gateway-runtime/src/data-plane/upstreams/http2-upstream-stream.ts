import type { Exchange } from '../exchange.ts'
import { type Fields, passedTrailers, writeRequestFields } from '../fields.ts'
import { HeaderKind, headerName } from '../http1/header-name.ts'
import { fieldProblem } from '../http2/field-rules.ts'
import { ErrorCode, StreamError } from '../http2/frames.ts'
import { Http2Stream } from '../http2/stream.ts'
import type { Http2UpstreamConnection } from './http2-upstream-connection.ts'
import { UpstreamError } from './upstream-error.ts'
import type { ConnectionTimeouts, UpstreamRequest, UpstreamStream } from './upstream-request.ts'

const te = headerName('te')
const contentLengthName = headerName('content-length')
const mostInterimResponses = 10
const settingOf = {
  'connect-timeout': 'connectTimeout',
  'read-timeout': 'readTimeout',
  'write-timeout': 'writeTimeout',
} as const

const bad = (reason: string): never => {
  throw new StreamError(ErrorCode.protocolError, reason)
}

/** A request on an HTTP/2 connection to a target. */
export class Http2UpstreamStream extends Http2Stream implements UpstreamStream {
  readonly reused: boolean
  readonly #connection: Http2UpstreamConnection
  readonly #timeouts: ConnectionTimeouts
  #request: UpstreamRequest | undefined
  /** Kept for the last flush, behind the end of the answer. */
  readonly #receiver: UpstreamRequest
  #answered = false
  #interimCount = 0
  #bodyLeft: number | undefined
  #trailers: Fields | undefined
  #paused = false

  constructor(
    id: number,
    connection: Http2UpstreamConnection,
    request: UpstreamRequest,
    timeouts: ConnectionTimeouts,
  ) {
    super(id, connection)
    this.reused = connection.reused
    this.#connection = connection
    this.#request = request
    this.#receiver = request
    this.#timeouts = timeouts
  }

  // What the target is sent.

  sendHead(exchange: Exchange, authority: string, path: string): void {
    const { head } = exchange
    const hasBody = head.contentLength !== 0
    this.#connection.writeFields(this.id, !hasBody, (block) => {
      block.field(':method', exchange.grpcPath === undefined ? head.method : 'POST')
      block.field(':scheme', this.#connection.scheme)
      block.field(':authority', authority)
      block.field(':path', path)
      writeRequestFields(exchange, block)
      if (head.acceptsTrailers) block.field(te, 'trailers')
      if (hasBody && head.contentLength !== undefined)
        block.field(contentLengthName, String(head.contentLength))
    })
    if (!hasBody) this.endedWithHead()
  }

  sendBody(chunk: Buffer): void {
    this.send(chunk)
  }

  endRequest(trailers: Fields | undefined): void {
    this.end(trailers)
  }

  flush(): boolean {
    if (this.hasRoom) return true
    if (this.#connection.connected) this.#connection.touch(this, this.#timeouts.writeTimeout)
    return false
  }

  pause(): void {
    this.#paused = true
    this.pauseReceiving()
    this.#connection.untouch(this) // the client is the slow one: its own deadline holds
  }

  resume(): void {
    this.#paused = false
    this.resumeReceiving()
    this.#awaitAnswer()
  }

  abandon(): void {
    this.#request = undefined
    this.#connection.resetStream(this, ErrorCode.cancel)
  }

  onConnected(): void {
    this.#connection.untouch(this)
    this.#awaitAnswer()
  }

  /**
   * Until the request is complete, the side of the client watches over who is silent; but not while the target takes
   * no more, whatever it answers meanwhile.
   */
  #awaitAnswer(): void {
    if (this.localClosed) {
      if (!this.#paused) this.#connection.touch(this, this.#timeouts.readTimeout)
    } else if (this.hasRoom) {
      this.#connection.untouch(this)
    } else if (this.deadline === Number.POSITIVE_INFINITY) {
      this.#connection.touch(this, this.#timeouts.writeTimeout)
    }
  }

  onDrain(): void {
    if (!this.#request) return
    this.#awaitAnswer()
    this.#request.onUpstreamDrain()
  }

  onLocalEnd(): void {
    if (this.#connection.connected && this.#request) this.#awaitAnswer()
  }

  // What the target answers.

  onFields(fields: Fields, withinLimits: boolean, endStream: boolean): void {
    if (!withinLimits) return this.#fail('a header over 64 KiB or 200 fields')
    this.#awaitAnswer()
    try {
      if (this.#answered) this.#onTrailers(fields, endStream)
      else this.#onHead(fields, endStream)
    } catch (error) {
      if (error instanceof UpstreamError || error instanceof StreamError) this.#fail(error.message)
      else throw error
    }
  }

  #onTrailers(fields: Fields, endStream: boolean): void {
    if (!endStream) bad('HEADERS in the middle of a body')
    checkFields(fields, 0)
    this.#trailers = passedTrailers(fields)
  }

  #onHead(fields: Fields, endStream: boolean): void {
    const status = readStatus(fields)
    const head = {
      method: '',
      target: '',
      status,
      version: 20,
      keepAlive: true,
      names: fields.names.slice(1),
      values: fields.values.slice(1),
    }
    if (status < 200) {
      if (endStream || status === 101) bad(`status ${status}`)
      if (++this.#interimCount > mostInterimResponses) bad(`over ${mostInterimResponses} interim responses`)
      if (status > 100) this.#request?.onInterimResponse(head)
      return
    }
    this.#answered = true
    const contentLength = readContentLength(head)
    const hasNoBody = this.#receiver.expectsNoBody || status === 204 || status === 304
    this.#bodyLeft = hasNoBody ? 0 : contentLength
    const isEmpty = endStream && contentLength === undefined && !hasNoBody
    this.#request?.onResponseHead(head, isEmpty ? 0 : contentLength)
    this.#connection.onChanged(this)
  }

  onData(chunk: Buffer): void {
    if (!this.#answered) return this.#fail('DATA before HEADERS')
    this.#awaitAnswer()
    if (this.#bodyLeft !== undefined) {
      this.#bodyLeft -= chunk.length
      if (this.#bodyLeft < 0) return this.#fail('more body than content-length says')
    }
    this.#request?.onResponseBody(chunk)
    this.#connection.onChanged(this)
  }

  onRemoteEnd(): void {
    if (!this.#answered) return this.#fail('the end before HEADERS')
    if (this.#bodyLeft !== undefined && this.#bodyLeft > 0)
      return this.#fail('less body than content-length says')
    const request = this.#request
    this.#request = undefined
    this.#connection.reused = true
    this.#connection.untouch(this)
    // The answer came before the request was complete: the rest of it is for nobody.
    if (!this.localClosed) this.#connection.resetStream(this, ErrorCode.noError)
    this.#connection.onChanged(this)
    request?.onResponseEnd(this.#trailers)
  }

  /** All of one read was looked at. */
  flushResponse(): void {
    this.#receiver.onResponseFlush()
  }

  onReset(code: number, reason: string): void {
    this.#loseRequest(this.#connection.failure(code, reason))
  }

  onDeadline(): void {
    const timeout = !this.#connection.connected
      ? 'connect-timeout'
      : this.hasRoom
        ? 'read-timeout'
        : 'write-timeout'
    const reason = `${timeout} after ${this.#timeouts[settingOf[timeout]]} ms`
    this.#connection.resetStream(this, ErrorCode.cancel)
    this.#loseRequest(new UpstreamError(timeout, reason, !this.#connection.connected))
    // Nothing at all came back on it: the next requests had better not wait on the same connection.
    if (this.#connection.isSilentSince(this.#timeouts[settingOf[timeout]])) this.#connection.retire()
  }

  #fail(reason: string): void {
    this.#connection.resetStream(this, ErrorCode.protocolError)
    this.#loseRequest(new UpstreamError('bad-response', reason, false))
  }

  #loseRequest(error: UpstreamError): void {
    const request = this.#request
    this.#request = undefined
    request?.onUpstreamError(error)
  }
}

function checkFields({ names, values }: Fields, from: number): void {
  for (let index = from; index < names.length; index++) {
    const name = names[index]!
    const problem = name.lower.charCodeAt(0) === 0x3a ? name.lower : fieldProblem(name.raw, values[index]!)
    if (problem) bad(problem)
    if (name.kind === HeaderKind.connection || name.kind === HeaderKind.transferEncoding) bad(name.lower)
  }
}

function readStatus(fields: Fields): number {
  if (fields.names[0]?.lower !== ':status') bad('no :status')
  checkFields(fields, 1)
  const status = fields.values[0]!
  if (!/^[1-5]\d\d$/.test(status)) bad(`status ${status}`)
  return Number(status)
}

function readContentLength({ names, values }: Fields): number | undefined {
  const index = names.findIndex(({ kind }) => kind === HeaderKind.contentLength)
  if (index < 0) return undefined
  const isPlain = /^\d{1,16}$/.test(values[index]!)
  if (!isPlain || names.slice(index + 1).some(({ kind }) => kind === HeaderKind.contentLength))
    bad('odd content-length')
  return Number(values[index])
}
