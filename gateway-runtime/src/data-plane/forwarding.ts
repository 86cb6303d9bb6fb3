import { now } from '../clock.ts'
import type { CompiledService } from '../config/snapshot.ts'
import type { Downstream } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { type Fields, passedTrailers } from './fields.ts'
import type { MessageHead } from './http1/parser.ts'
import { problem } from './problem.ts'
import { type ConnectionEnds, clientEndsOf } from './proxy-protocol/connection-ends.ts'
import type { Destination } from './runtime.ts'
import { upstreamPath } from './upstream-path.ts'
import type { TargetPool } from './upstreams/target-pool.ts'
import { UpstreamError, type UpstreamFailure, upstreamFailures } from './upstreams/upstream-error.ts'
import type { UpstreamRequest, UpstreamStream } from './upstreams/upstream-request.ts'
import type { WorkerContext } from './worker-context.ts'

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']) // RFC 9110 section 9.2.2, RFC 10008
const replayBytes = 65_536 // a body up to this size is kept until the answer begins, to be sent again
const longestBackoff = 250
const mostRefusals = 2

const details: Record<number, string> = {
  502: 'The service behind the gateway could not be reached or gave no valid answer.',
  503: 'The service behind the gateway is not available now; try again later.',
  504: 'The service behind the gateway did not answer in time.',
}

const pathNotRewritable = problem(400, 'malformed-request', 'The path makes none for the service.')

/** The target has said that it did not begin with the request: GOAWAY or REFUSED_STREAM (RFC 9113 section 8.7). */
const isRefused = ({ failure, nothingSent }: UpstreamError) => failure === 'connection-reset' && nothingSent

/** Takes one request to a target and its answer back; tries again where that is safe. */
export class Forwarding implements UpstreamRequest {
  readonly expectsNoBody: boolean
  readonly tunnel: string | undefined
  readonly #exchange: Exchange
  readonly #client: Downstream
  readonly #context: WorkerContext
  readonly #runtime: Destination
  readonly #service: CompiledService
  /** With the query. */
  #path = ''
  #stream: UpstreamStream | undefined
  #pool: TargetPool | undefined
  readonly #tried: TargetPool[] = []
  #lastError: UpstreamError | undefined
  #refusals = 0
  #replay: Buffer[] | undefined = []
  #replaySize = 0
  #requestEnded = false
  #trailers: Fields | undefined
  #responded = false
  #abandoned = false
  #retryTimer: NodeJS.Timeout | undefined
  #tryTimer: NodeJS.Timeout | undefined
  #totalTimer: NodeJS.Timeout | undefined
  readonly #startedAt = now()

  constructor(exchange: Exchange, runtime: Destination, client: Downstream, context: WorkerContext) {
    this.#exchange = exchange
    this.#client = client
    this.#context = context
    this.#runtime = runtime
    this.#service = runtime.service
    this.expectsNoBody = exchange.method === 'HEAD'
    this.tunnel = this.#acceptedUpgrade()
    exchange.tunnel = this.tunnel
  }

  #acceptedUpgrade(): string | undefined {
    const { upgrade } = this.#exchange.head
    if (upgrade === undefined || !this.#client.tunnel || this.#service.http2) return undefined
    return this.#runtime.route.upgrades.includes(upgrade) ? upgrade : undefined
  }

  get clientEnds(): ConnectionEnds {
    return clientEndsOf(this.#exchange)
  }

  /** Begins; what it writes leaves with `flushRequest`, so that a small body goes along. */
  start(): void {
    const { totalTimeout } = this.#service
    const { head, matchedLength, grpcPath } = this.#exchange
    const path =
      grpcPath === undefined
        ? upstreamPath(this.#runtime, head, matchedLength)
        : this.#service.path + grpcPath
    if (path === undefined) return this.#client.reply(pathNotRewritable)
    this.#path = path
    this.#runtime.retryBudget.countRequest(this.#startedAt)
    if (totalTimeout !== undefined)
      this.#totalTimer = setTimeout(() => this.#onTimeout('total-timeout', totalTimeout), totalTimeout)
    this.#attempt(false)
  }

  /** Sends what was given so far. */
  flushRequest(): void {
    if (this.#stream && !this.#stream.flush()) this.#client.pauseBody()
  }

  onRequestBody(chunk: Buffer): void {
    this.#replaySize += chunk.length
    const stream = this.#stream
    if (!stream) {
      // Between two attempts: it goes out with the next one.
      this.#replay?.push(Buffer.from(chunk))
      return this.#client.pauseBody()
    }
    if (this.#replaySize > replayBytes) this.#replay = undefined
    this.#replay?.push(Buffer.from(chunk))
    stream.sendBody(chunk)
  }

  onRequestEnd(trailers: Fields | undefined): void {
    this.#requestEnded = true
    this.#trailers = passedTrailers(trailers)
    this.#stream?.endRequest(this.#trailers)
  }

  /** The client has gone: what the target still does is for nobody. */
  abandon(): void {
    this.#abandoned = true
    this.#clearTimers()
    this.#stream?.abandon()
    this.#stream = undefined
  }

  #clearTimers(): void {
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#tryTimer)
    clearTimeout(this.#totalTimer)
  }

  #onTimeout(failure: 'try-timeout' | 'total-timeout', after: number): void {
    const error = new UpstreamError(failure, `${failure} after ${after} ms`, false)
    this.#stream?.abandon()
    if (this.#stream) this.onUpstreamError(error)
    else this.#fail(error) // between two attempts: no target is to blame
    this.flushRequest()
    this.#client.flush()
  }

  /** The client takes more of the answer. */
  onClientDrain(): void {
    this.#stream?.resume()
  }

  #attempt(fresh: boolean): void {
    const pool = this.#runtime.balancer.pick(this.#exchange, this.#tried)
    if (!pool) return this.#refuse(this.#runtime.balancer.isEmpty ? 'no-target' : 'circuit-open')
    const stream = pool.open(this, this.#service, fresh)
    if (!stream) return this.#refuse('overloaded')
    const exchange = this.#exchange
    exchange.target = pool.authority
    exchange.attempts++
    exchange.timings?.beginAttempt(pool.authority)
    this.#pool = pool
    this.#stream = stream
    const { tryTimeout } = this.#service
    if (tryTimeout !== undefined)
      this.#tryTimer = setTimeout(() => this.#onTimeout('try-timeout', tryTimeout), tryTimeout)
    stream.sendHead(exchange, this.#authority(pool), this.#path)
    if (this.#replaySize > 0) for (const chunk of this.#replay ?? []) stream.sendBody(chunk)
    if (this.#requestEnded) stream.endRequest(this.#trailers)
  }

  #authority(pool: TargetPool): string {
    if (this.#runtime.route.preserveHost) return this.#exchange.head.authority
    return this.#service.hostHeader ?? pool.authority
  }

  onInterimResponse(head: MessageHead): void {
    this.#client.sendInterim(head.status, head)
  }

  onResponseHead(head: MessageHead, contentLength: number | undefined): void {
    this.#onAnswer(head.status)
    // A target that says so itself is as unavailable as one that does not answer.
    if (head.status >= 502 && head.status <= 504) this.#countFailure(false)
    else this.#countSuccess()
    this.#client.sendHead(head, contentLength)
  }

  #onAnswer(status: number): void {
    this.#exchange.timings?.endAttempt(status)
    this.#responded = true
    this.#replay = undefined
    clearTimeout(this.#tryTimer)
    this.#exchange.upstreamTime = now() - this.#startedAt
  }

  onTunnelOpen(head: MessageHead): void {
    this.#onAnswer(head.status)
    clearTimeout(this.#totalTimer) // it is for answers, which have an end
    this.#countSuccess()
    this.#client.tunnel!.open(head)
  }

  onTunnelEnd(): void {
    this.#client.tunnel!.end()
  }

  onResponseBody(chunk: Buffer): void {
    this.#client.sendBody(chunk)
  }

  onResponseEnd(trailers: Fields | undefined): void {
    this.#stream = undefined
    clearTimeout(this.#totalTimer)
    this.#client.endResponse(trailers)
  }

  onResponseFlush(): void {
    this.#client.flush()
    if (this.#stream && !this.#client.hasRoom) this.#stream.pause()
  }

  onUpstreamDrain(): void {
    this.#client.resumeBody()
  }

  onUpstreamError(error: UpstreamError): void {
    if (!this.#responded) this.#exchange.timings?.endAttempt(error.failure)
    const wasKept = this.#stream?.reused === true && !isRefused(error)
    this.#stream = undefined
    clearTimeout(this.#tryTimer)
    if (this.#responded && !this.#client.takeBack()) {
      this.#clearTimers()
      this.#log('error', error)
      // That a tunnel breaks after hours says little of how the target takes requests.
      if (this.#exchange.status !== 101) this.#countFailure(true)
      return this.#client.abort('upstream-aborted')
    }
    const repeatable = this.#isRepeatable(error)
    // A kept connection that the target had closed already says nothing about the target.
    if (wasKept && error.failure === 'connection-reset' && repeatable) return this.#again(true)
    // Nor does one that it closes in order, which other requests may be on: the last time, it is one of our own.
    if (isRefused(error) && repeatable && this.#refusals < mostRefusals)
      return this.#again(++this.#refusals === mostRefusals)
    this.#exchange.upstreamTime = now() - this.#startedAt
    this.#countFailure(this.#responded)
    this.#lastError = error
    this.#tried.push(this.#pool!)
    if (repeatable && this.#mayRetry(error)) {
      this.#log('warn', error)
      this.#context.metrics.countRetry(this.#runtime.metricBlock)
      return this.#retryLater()
    }
    this.#fail(error)
  }

  #isRepeatable(error: UpstreamError): boolean {
    return this.#replay !== undefined && (error.nothingSent || idempotent.has(this.#exchange.method))
  }

  #mayRetry({ failure }: UpstreamError): boolean {
    if (this.#tried.length > this.#service.retries || failure === 'total-timeout') return false
    if (this.#runtime.balancer.isBlocked) return false
    if (this.#runtime.retryBudget.tryRetry()) return true
    this.#context.metrics.countRetryOverBudget()
    return false
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

  #countSuccess(): void {
    const { circuit, outcomes } = this.#pool!
    circuit.onSuccess()
    outcomes?.countSuccess()
  }

  /** `isCounted`: its answer had begun, and broke off. */
  #countFailure(isCounted: boolean): void {
    const { circuit, outcomes, authority } = this.#pool!
    outcomes?.countFailure(isCounted)
    if (!circuit.onFailure()) return
    this.#context.errorLog.write('error', 'circuit opened', {
      service: this.#service.name,
      target: authority,
    })
  }

  /** No target can be tried now; where one was tried before, the answer says how that ended. */
  #refuse(failure: UpstreamFailure): void {
    this.#fail(this.#lastError ?? new UpstreamError(failure, upstreamFailures[failure].log, true))
  }

  #fail(error: UpstreamError): void {
    this.#clearTimers()
    this.#log('error', error)
    const { status } = upstreamFailures[error.failure]
    if (status === 503) this.#exchange.addResponseHeader('retry-after', this.#retryAfter(error))
    this.#client.reply(problem(status, `upstream-${error.failure}`, details[status]!))
  }

  /** Seconds: until a circuit lets somebody through, or a moment. */
  #retryAfter({ failure }: UpstreamError): string {
    const { open_duration } = this.#service.upstream.circuitBreaker
    return String(failure === 'circuit-open' ? Math.ceil(open_duration / 1_000) : 1)
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
