import type { CompiledService } from '../config/snapshot.ts'
import type { Exchange } from './exchange.ts'
import { HeaderKind } from './http1/header-name.ts'
import type { MessageHead } from './http1/parser.ts'
import { problem } from './problem.ts'
import type { RouteRuntime } from './runtime.ts'
import type { TargetPool } from './upstreams/target-pool.ts'
import type { UpstreamConnection, UpstreamRequest } from './upstreams/upstream-connection.ts'
import { UpstreamError, type UpstreamFailure, upstreamFailures } from './upstreams/upstream-error.ts'
import type { WorkerContext } from './worker-context.ts'

/** The side of an exchange that faces the client. */
export interface Downstream {
  readonly hasRoom: boolean
  /** Begins the answer. The body has `contentLength` bytes; undefined: known at its end. */
  sendHead(head: MessageHead, contentLength: number | undefined): void
  sendBody(chunk: Buffer): void
  /** The answer is complete. */
  endResponse(): void
  flush(): void
  /** Answers in the place of the upstream. */
  reply(problem: { status: number; code: string; detail: string }): void
  /** Cuts the connection: the answer cannot be completed, and the client must see that. */
  abort(code: string): void
  pauseBody(): void
  resumeBody(): void
}

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']) // RFC 9110 section 9.2.2, RFC 10008
const replayBytes = 65_536 // a body up to this size is kept until the answer begins, to be sent again
const longestBackoff = 250

const details: Record<number, string> = {
  502: 'The service behind the gateway could not be reached or gave no valid answer.',
  503: 'The service behind the gateway is not available now; try again later.',
  504: 'The service behind the gateway did not answer in time.',
}

/** Takes one request to a target and its answer back; tries again where that is safe. */
export class Forwarding implements UpstreamRequest {
  readonly expectsNoBody: boolean
  readonly #exchange: Exchange
  readonly #client: Downstream
  readonly #context: WorkerContext
  readonly #runtime: RouteRuntime
  readonly #service: CompiledService
  readonly #headTail: string
  #connection: UpstreamConnection | undefined
  #pool: TargetPool | undefined
  readonly #tried: TargetPool[] = []
  #lastError: UpstreamError | undefined
  #replay: Buffer[] | undefined = []
  #replaySize = 0
  #requestEnded = false
  #responded = false
  #abandoned = false
  #retryTimer: NodeJS.Timeout | undefined
  readonly #startedAt = performance.now()

  constructor(exchange: Exchange, runtime: RouteRuntime, client: Downstream, context: WorkerContext) {
    this.#exchange = exchange
    this.#client = client
    this.#context = context
    this.#runtime = runtime
    this.#service = runtime.route.service
    this.expectsNoBody = exchange.method === 'HEAD'
    this.#headTail = requestHeadTail(exchange)
  }

  /** Begins; what it writes leaves with `flushRequest`, so that a small body goes along. */
  start(): void {
    this.#attempt(false)
  }

  /** Sends what was given so far. */
  flushRequest(): void {
    if (this.#connection && !this.#connection.flush()) this.#client.pauseBody()
  }

  onRequestBody(chunk: Buffer): void {
    this.#replaySize += chunk.length
    const connection = this.#connection
    if (!connection) {
      // Between two attempts: it goes out with the next one.
      this.#replay?.push(chunk)
      return this.#client.pauseBody()
    }
    if (this.#replaySize > replayBytes) this.#replay = undefined
    this.#replay?.push(chunk)
    this.#writeBody(connection, chunk)
  }

  onRequestEnd(): void {
    this.#requestEnded = true
    if (this.#connection) this.#endRequest(this.#connection)
  }

  /** The client has gone: what the target still does is for nobody. */
  abandon(): void {
    this.#abandoned = true
    clearTimeout(this.#retryTimer)
    this.#connection?.abandon()
    this.#connection = undefined
  }

  /** The client takes more of the answer. */
  onClientDrain(): void {
    this.#connection?.resume()
  }

  #attempt(fresh: boolean): void {
    const pool = this.#runtime.balancer.pick(this.#tried)
    if (!pool) return this.#refuse(this.#runtime.balancer.isEmpty ? 'no-target' : 'circuit-open')
    const connection = pool.acquire(fresh)
    if (!connection) return this.#refuse('overloaded')
    this.#exchange.target = pool.authority
    this.#pool = pool
    this.#connection = connection
    this.#exchange.attempts++
    connection.assign(this, this.#service)
    connection.writer.text(`${this.#requestLine(pool)}${this.#headTail}`)
    for (const chunk of this.#replay ?? []) this.#writeBody(connection, chunk)
    if (this.#requestEnded) this.#endRequest(connection)
  }

  #requestLine(pool: TargetPool): string {
    const { head, matchedLength } = this.#exchange
    const { route } = this.#runtime
    let rest = route.stripPath ? head.path.substring(matchedLength) : head.path
    if (rest !== '' && rest.charCodeAt(0) !== 0x2f) rest = `/${rest}`
    const path = this.#service.path + rest || '/'
    const host = route.preserveHost ? head.authority : (this.#service.hostHeader ?? pool.authority)
    return `${head.method} ${path}${head.query} HTTP/1.1\r\nhost: ${host}\r\n`
  }

  #writeBody(connection: UpstreamConnection, chunk: Buffer): void {
    if (this.#exchange.head.isChunked) connection.writer.framedChunk(chunk)
    else connection.writer.chunk(chunk)
  }

  #endRequest(connection: UpstreamConnection): void {
    if (this.#exchange.head.isChunked) connection.writer.lastChunk()
    connection.requestSent()
  }

  onResponseHead(head: MessageHead): void {
    const contentLength = readResponseFraming(head)
    this.#responded = true
    this.#replay = undefined
    this.#exchange.upstreamTime = performance.now() - this.#startedAt
    // A target that says so itself is as unavailable as one that does not answer.
    if (head.status >= 502 && head.status <= 504) this.#countFailure()
    else this.#pool!.circuit.onSuccess()
    this.#client.sendHead(head, contentLength)
  }

  onResponseBody(chunk: Buffer): void {
    this.#client.sendBody(chunk)
  }

  onResponseEnd(): void {
    this.#connection = undefined
    this.#client.endResponse()
  }

  onResponseFlush(): void {
    this.#client.flush()
    if (this.#connection && !this.#client.hasRoom) this.#connection.pause()
  }

  onUpstreamDrain(): void {
    this.#client.resumeBody()
  }

  onUpstreamError(error: UpstreamError): void {
    const wasKept = this.#connection?.reused === true
    this.#connection = undefined
    if (this.#responded) {
      this.#log('error', error)
      this.#countFailure()
      return this.#client.abort('upstream-aborted')
    }
    const repeatable = this.#isRepeatable(error)
    // A kept connection that the target had closed already says nothing about the target.
    if (wasKept && error.failure === 'connection-reset' && repeatable) return this.#again(true)
    this.#exchange.upstreamTime = performance.now() - this.#startedAt
    this.#countFailure()
    this.#lastError = error
    this.#tried.push(this.#pool!)
    if (repeatable && this.#tried.length <= this.#service.retries && !this.#runtime.balancer.isBlocked) {
      this.#log('warn', error)
      this.#context.metrics.countRetry(this.#runtime.metricBlock)
      return this.#retryLater()
    }
    this.#fail(error)
  }

  #isRepeatable(error: UpstreamError): boolean {
    return this.#replay !== undefined && (error.nothingSent || idempotent.has(this.#exchange.method))
  }

  /** At once to another target; to the same one after a short, growing and random while. */
  #retryLater(): void {
    const failures = this.#tried.length
    if (!this.#runtime.balancer.hasOther(this.#tried)) {
      const longest = Math.min(10 * 2 ** failures, longestBackoff)
      this.#retryTimer = setTimeout(() => this.#again(false), longest * (0.5 + Math.random() / 2))
    } else {
      this.#again(false)
    }
  }

  #again(fresh: boolean): void {
    if (this.#abandoned) return
    this.#attempt(fresh)
    this.#client.resumeBody()
    this.flushRequest()
  }

  #countFailure(): void {
    if (!this.#pool!.circuit.onFailure()) return
    this.#context.errorLog.write('error', 'circuit opened', {
      service: this.#service.name,
      target: this.#pool!.authority,
    })
  }

  /** No target can be tried now; where one was tried before, the answer says how that ended. */
  #refuse(failure: UpstreamFailure): void {
    this.#fail(this.#lastError ?? new UpstreamError(failure, upstreamFailures[failure].log, true))
  }

  #fail(error: UpstreamError): void {
    this.#log('error', error)
    const { status } = upstreamFailures[error.failure]
    this.#client.reply(problem(status, `upstream-${error.failure}`, details[status]!))
  }

  #log(level: 'warn' | 'error', error: UpstreamError): void {
    const exchange = this.#exchange
    this.#context.errorLog.write(level, upstreamFailures[error.failure].log, {
      reason: error.message,
      route: exchange.routeName,
      service: this.#service.name,
      target: exchange.target,
      attempt: `${exchange.attempts}/${this.#service.retries + 1}`,
      request_id: exchange.requestId,
    })
  }
}

/** The header of the request as the target sees it, but for Host: written anew, hop by hop. */
function requestHeadTail(exchange: Exchange): string {
  const { head, facts, peerIsTrusted } = exchange
  const { names, values, connectionFields } = head
  let text = ''
  let forwardedFor = ''
  let forwardedProto = false
  let forwardedHost = false
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    const value = values[index]!
    switch (name.kind) {
      case HeaderKind.forwardedFor:
        if (peerIsTrusted) forwardedFor += `${value}, `
        continue
      case HeaderKind.forwarded:
        if (!peerIsTrusted) continue
        forwardedProto ||= name.lower === 'x-forwarded-proto'
        forwardedHost ||= name.lower === 'x-forwarded-host'
        break
      case HeaderKind.other:
      case HeaderKind.singleton:
      case HeaderKind.date:
        break
      default:
        continue
    }
    if (connectionFields.length > 0 && connectionFields.includes(name.lower)) continue
    text += `${name.raw}: ${value}\r\n`
  }
  text += `x-request-id: ${exchange.requestId}\r\nx-forwarded-for: ${forwardedFor}${facts.peerAddress}\r\n`
  if (!forwardedProto) text += `x-forwarded-proto: ${facts.scheme}\r\n`
  if (!forwardedHost) text += `x-forwarded-host: ${head.authority}\r\n`
  text += 'via: 1.1 gatehouse\r\n'
  if (head.isChunked) return `${text}transfer-encoding: chunked\r\n\r\n`
  if (head.contentLength === 0 && (head.method === 'GET' || head.method === 'HEAD')) return `${text}\r\n`
  return `${text}content-length: ${head.contentLength}\r\n\r\n`
}

/** The length of an answer's body; undefined where only its end tells. Throws UpstreamError for an odd answer. */
function readResponseFraming(head: MessageHead): number | undefined {
  const refuse = (reason: string): never => {
    throw new UpstreamError('bad-response', reason, false)
  }
  if (head.status > 599) refuse(`status ${head.status}`)
  let contentLength: number | undefined
  let isChunked = false
  for (let index = 0; index < head.names.length; index++) {
    const { kind } = head.names[index]!
    const value = head.values[index]!
    if (kind === HeaderKind.contentLength) {
      if (contentLength !== undefined || !/^\d{1,16}$/.test(value)) refuse('odd Content-Length')
      contentLength = Number(value)
    } else if (kind === HeaderKind.transferEncoding) {
      if (isChunked || value.toLowerCase() !== 'chunked') refuse(`Transfer-Encoding ${value}`)
      isChunked = true
    }
  }
  if (isChunked && contentLength !== undefined) refuse('Content-Length with Transfer-Encoding')
  return contentLength
}
