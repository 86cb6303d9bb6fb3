import { now } from '../clock.ts'
import { type AnswerReply, BodyTooLarge, type Reply } from '../plugins/contract.ts'
import { challengeAnswer, challengeResponse } from './acme-challenges.ts'
import type { Downstream } from './downstream.ts'
import { type BodySource, type ClientFacts, Exchange } from './exchange.ts'
import type { Fields } from './fields.ts'
import { forwardedAddresses } from './forwarded.ts'
import { Forwarding } from './forwarding.ts'
import { grpcTimeout, isGrpc } from './grpc.ts'
import { HeldBody } from './held-body.ts'
import { HeaderKind, type HeaderName } from './http1/header-name.ts'
import type { RequestHead } from './http1/request-head.ts'
import { Mirror } from './mirror.ts'
import type { PluginChain } from './plugin-chains.ts'
import { type Problem, problem } from './problem.ts'

import type { Redirect } from './redirect.ts'
import { isRequestId, newRequestId } from './request-id.ts'
import { answerHead, ResponseFilter } from './response-filter.ts'
import type { Destination, Runtime } from './runtime.ts'
import { fetchUpstream } from './upstream-fetch.ts'
import type { WorkerContext } from './worker-context.ts'

const longestDeadline = 2 ** 31 - 1 // of a timer of Node.js: 24 days

const tooLarge = problem(413, 'body-too-large', 'The body of the request is larger than this gateway takes.')

const ambiguousName = problem(
  400,
  'ambiguous-header-name',
  'Names of header fields may have letters, digits and hyphens.',
)
const isAmbiguous = ({ kind }: HeaderName) => kind === HeaderKind.ambiguous

const overloaded = problem(503, 'overloaded', 'The gateway has more to do than it can; try again later.')

/**
 * One request on its way: route, plugins, upstream, and the record of it. What the client speaks is behind
 * `Downstream`; a connection calls `start` once, then gives body and end as they come, and `record` when it is over.
 */
export class RequestPipeline implements BodySource {
  readonly exchange: Exchange
  readonly #client: Downstream
  readonly #context: WorkerContext
  #forwarding: Forwarding | undefined
  #mirror: Mirror | undefined
  /** What came of a body while a plugin was still deciding; the client was told to stop behind it. */
  #held: HeldBody | undefined
  #filter: ResponseFilter | undefined
  #saidContinue = false
  #trailers: Fields | undefined
  #grpcDeadline: NodeJS.Timeout | undefined
  #runtime: Runtime | undefined
  #requestComplete = false
  #over = false

  constructor(head: RequestHead, facts: ClientFacts, client: Downstream, context: WorkerContext) {
    this.exchange = newExchange(head, facts, context)
    this.#client = client
    this.#context = context
  }

  get responseStarted(): boolean {
    return this.exchange.status !== 0
  }

  get #bodyLimit(): number {
    return Math.min(this.#context.runtime.limits.body_bytes, this.exchange.bodyLimit)
  }

  start(): void {
    const { exchange } = this
    const { runtime } = this.#context
    const { contentLength } = exchange.head
    const challenge = challengeResponse(exchange, this.#context.challenges.http)
    if (challenge !== undefined) return this.#send(this.#client, challengeAnswer(challenge))
    if (this.#context.loopDelay.current > runtime.limits.event_loop_delay) {
      exchange.addResponseHeader('retry-after', '1')
      return this.#client.reply(overloaded)
    }
    if (contentLength !== undefined && contentLength > runtime.limits.body_bytes)
      return this.#client.reply(tooLarge)
    if (runtime.snapshot.refusesAmbiguousNames && exchange.head.names.some(isAmbiguous))
      return this.#client.reply(ambiguousName)
    this.#context.traces.begin(exchange)
    const match = runtime.router.match(exchange)
    exchange.route = match?.value
    exchange.matchedLength = match?.matchedLength ?? 0
    exchange.destination = match?.value.split?.choose(exchange) ?? match?.value.destination
    exchange.chain = match?.value.chain ?? runtime.globalChain
    this.#runtime = runtime
    this.#runHooks(0)
  }

  onBody(chunk: Buffer): void {
    const { exchange } = this
    exchange.requestBytes += chunk.length
    if (exchange.status !== 101 && exchange.requestBytes > this.#bodyLimit) return this.replace(tooLarge)
    this.#mirror?.onBody(chunk)
    if (this.#forwarding) return this.#forwarding.onRequestBody(chunk)
    if (this.responseStarted) return
    this.#held ??= new HeldBody()
    if (!this.#held.add(chunk)) this.#client.pauseBody()
  }

  onEnd(trailers: Fields | undefined): void {
    this.#requestComplete = true
    this.#trailers = trailers
    this.#held?.complete()
    this.#end(this.#forwarding)
  }

  /** Sends what the target was given so far. */
  flushRequest(): void {
    this.#forwarding?.flushRequest()
  }

  /** The client takes more of the answer. */
  onClientDrain(): void {
    if (this.#filter) this.#filter.onClientDrain()
    else this.#forwarding?.onClientDrain()
  }

  /** @throws BodyTooLarge */
  readBody(limit: number): Promise<Buffer> {
    const { contentLength } = this.exchange.head
    if (contentLength !== undefined && contentLength > limit)
      return Promise.reject(new BodyTooLarge(`the body has ${contentLength} bytes`))
    this.#held ??= new HeldBody()
    if (this.#requestComplete || contentLength === 0) this.#held.complete()
    const body = this.#held.read(limit)
    this.#sayContinue()
    this.#client.resumeBody()
    this.#client.flush()
    return body
  }

  fetchUpstream(
    headers: readonly (readonly [name: string, value: string])[],
    limit: number,
  ): Promise<AnswerReply> {
    const { exchange } = this
    const { destination, head } = exchange
    if (!destination || head.contentLength !== 0) return Promise.reject(new Error('nothing can be asked'))
    return fetchUpstream(exchange, destination, this.#context, headers, limit)
  }

  replaceBody(body: Buffer): void {
    this.#held ??= new HeldBody()
    this.#held.replace(body)
    this.exchange.head = { ...this.exchange.head, contentLength: body.length, isChunked: false }
  }

  /** The target answers no more: from here the connection is on its own. */
  detach(): void {
    this.#forwarding = undefined
    this.exchange.bodySource = undefined
    if (!this.#held) return
    this.#held = undefined
    this.#client.resumeBody()
  }

  /** Gives the request up and answers so; cuts off an answer that has begun. */
  replace(reply: Problem): void {
    this.#giveUp()
    if (this.responseStarted) this.#client.abort(reply.code)
    else this.#client.reply(reply)
  }

  /** The client has gone. */
  abandon(): void {
    this.#giveUp()
    if (!this.responseStarted) this.exchange.status = 499
    this.exchange.code ??= 'client-closed'
    this.record()
  }

  #giveUp(): void {
    this.#forwarding?.abandon()
    this.#filter?.abandon()
    this.detach()
  }

  /** Puts what became of the request into metrics and access log; once. */
  record(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#grpcDeadline)
    this.#mirror?.onRequestOver()
    const duration = now() - this.exchange.startedAt
    this.#context.metrics.record(this.exchange, duration)
    this.#context.accessLog.write(this.exchange, duration)
    this.#context.traces.end(this.exchange, duration)
    const onEnd = this.exchange.chain?.onEnd
    if (onEnd !== undefined && onEnd.length > 0) this.#runEndHooks(onEnd, duration)
  }

  #runEndHooks(hooks: PluginChain['onEnd'], duration: number): void {
    const { exchange } = this
    const { status, code, requestBytes, responseBytes, upstreamTime, attempts, target } = exchange
    const outcome = { status, code, requestBytes, responseBytes, duration, upstreamTime, attempts, target }
    for (const { plugin, hook } of hooks) {
      try {
        hook(exchange, outcome)
      } catch (error) {
        this.#logPluginFailure(plugin, error)
      }
    }
  }

  #runHooks(from: number): void {
    const { exchange } = this
    exchange.bodySource = this
    let hooks = exchange.chain!.onRequest
    for (let index = from; index < hooks.length; index++) {
      const { plugin, order, hook } = hooks[index]!
      try {
        const before = exchange.consumer
        const outcome = exchange.timings
          ? exchange.timings.timeHook(plugin, 'request', () => hook(exchange))
          : hook(exchange)
        if (outcome !== undefined) {
          if (outcome instanceof Promise) return this.#await(outcome, plugin, order)
          return this.#reply(outcome, order)
        }
        if (exchange.consumer === before || !this.#useChainOfConsumer()) continue
        hooks = exchange.chain!.onRequest
        index = firstBehind(hooks, order, plugin) - 1
      } catch (error) {
        return this.#onPluginFailure(plugin, error)
      }
    }
    exchange.bodySource = undefined
    if (exchange.destination) this.#forward(exchange.destination)
    else if (exchange.route?.redirect) this.#redirect(exchange.route.redirect)
    else this.#client.reply(problem(404, 'no-route', 'No route of this gateway matches the request.'))
  }

  /** Who the client is has been found out: its own plugins take over from here. Returns whether it has any. */
  #useChainOfConsumer(): boolean {
    const { exchange } = this
    const before = exchange.chain!
    exchange.chain = this.#runtime!.plugins.forConsumer(before, exchange.route?.route, exchange.consumer!)
    return exchange.chain !== before
  }

  #await(outcome: Promise<Reply | undefined>, plugin: string, order: number): void {
    const { consumer } = this.exchange
    const next = (reply: Reply | undefined) => {
      if (reply) return this.#reply(reply, order)
      if (this.exchange.consumer !== consumer) this.#useChainOfConsumer()
      this.#runHooks(firstBehind(this.exchange.chain!.onRequest, order, plugin))
    }
    outcome.then(
      (reply) => this.#resume(() => next(reply)),
      (error) => this.#resume(() => this.#onPluginFailure(plugin, error)),
    )
  }

  /** Goes on after a promise, unless the request is over by now. */
  #resume(next: () => void): void {
    if (this.#over || this.responseStarted) return
    next()
    this.flushRequest()
    this.#client.flush()
  }

  #reply(reply: Reply, order: number): void {
    if ('body' in reply) this.#answer(reply, order)
    else this.#client.reply(reply)
  }

  /** As if an upstream had answered so: plugins that saw the request before this one see the answer behind it. */
  #answer(reply: AnswerReply, order: number): void {
    // The client waits for permission to send a body, and this answer comes before the end of it.
    if (!this.#requestComplete && this.exchange.head.expectsContinue) this.#sayContinue()
    const hooks = this.exchange.chain!.onResponse.filter((hook) => hook.order > order)
    this.#send(hooks.length === 0 ? this.#client : this.#facing(hooks), reply)
  }

  #send(client: Downstream, { status, headers, body }: AnswerReply): void {
    client.sendHead(answerHead(status, headers), body.length)
    if (body.length > 0 && this.exchange.method !== 'HEAD') client.sendBody(body)
    client.endResponse(undefined)
    client.flush()
  }

  #sayContinue(): void {
    if (!this.exchange.head.expectsContinue || this.#saidContinue) return
    this.#saidContinue = true
    this.#client.sendInterim(100)
  }

  #onPluginFailure(plugin: string, error: unknown): void {
    if (error instanceof BodyTooLarge) return this.replace(tooLarge)
    this.#logPluginFailure(plugin, error)
    this.replace(problem(500, 'plugin-failed', 'The gateway could not process the request.'))
  }

  #logPluginFailure(plugin: string, error: unknown): void {
    this.#context.metrics.countPluginFailure()
    this.#context.errorLog.write('error', 'plugin failed', {
      plugin,
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      route: this.exchange.routeName,
      request_id: this.exchange.requestId,
    })
  }

  #redirect(redirect: Redirect): void {
    const location = redirect.location(this.exchange)
    if (location === undefined)
      return this.#client.reply(problem(400, 'malformed-request', 'The path leads nowhere.'))
    this.exchange.addResponseHeader('location', location)
    this.#client.reply(problem(redirect.status, 'redirected', ''))
  }

  #forward(destination: Destination): void {
    this.#sayContinue()
    if (isGrpc(this.exchange.head)) this.#setGrpcDeadline()
    const forwarding = new Forwarding(
      this.exchange,
      destination,
      this.#facing(this.exchange.chain!.onResponse),
      this.#context,
    )
    this.#forwarding = forwarding
    this.#mirror = this.#newMirror()
    forwarding.start()
    if (this.#held) {
      const held = this.#held
      this.#held = undefined
      for (const chunk of held.pieces) {
        this.#mirror?.onBody(chunk)
        forwarding.onRequestBody(chunk)
      }
      this.#client.resumeBody()
    }
    if (this.#requestComplete) this.#end(forwarding)
  }

  /** What the upstream's answer goes to: the client, or plugins on the way to it. */
  #facing(hooks: PluginChain['onResponse']): Downstream {
    if (hooks.length === 0 && this.exchange.chain!.onUpstreamError.length === 0) return this.#client
    this.#filter = new ResponseFilter(this.exchange, hooks, this.#client, {
      onRoom: () => this.#forwarding?.onClientDrain(),
      onReplaced: () => this.#forwarding?.abandon(),
      onFailure: (plugin, error) => this.#onPluginFailure(plugin, error),
    })
    return this.#filter
  }

  #end(forwarding: Forwarding | undefined): void {
    forwarding?.onRequestEnd(this.#trailers)
    this.#mirror?.onEnd(this.#trailers)
    this.#mirror = undefined
  }

  #newMirror(): Mirror | undefined {
    const mirror = this.exchange.route?.mirror
    if (!mirror || this.exchange.tunnel !== undefined) return undefined
    if (mirror.percent < 100 && Math.random() * 100 >= mirror.percent) return undefined
    return Mirror.begin(this.exchange, mirror.destination, this.#context)
  }

  /** The target is told the time too, and may be late with it or gone. */
  #setGrpcDeadline(): void {
    const timeout = grpcTimeout(this.exchange.header('grpc-timeout') ?? '')
    if (timeout === undefined || timeout > longestDeadline) return
    this.#grpcDeadline = setTimeout(() => this.replace(deadlineExceeded), timeout)
  }
}

/** Where the hooks begin that come behind one of this order: of the same order those whose plugin comes later. */
function firstBehind(hooks: PluginChain['onRequest'], order: number, plugin: string): number {
  const index = hooks.findIndex(
    (hook) => hook.order < order || (hook.order === order && hook.plugin > plugin),
  )
  return index < 0 ? hooks.length : index
}

const deadlineExceeded = problem(
  504,
  'deadline-exceeded',
  'The call did not end in the time that its client gave it.',
)

function newExchange(head: RequestHead, facts: ClientFacts, { runtime }: WorkerContext): Exchange {
  const { trustedProxies, snapshot } = runtime
  const forwardedFields = snapshot.forwarded
  const { peerAddress } = facts
  const peerIsTrusted = trustedProxies.trusts(peerAddress)
  if (!peerIsTrusted) {
    const requestId = newRequestId()
    return new Exchange(head, facts, {
      clientAddress: peerAddress,
      requestId,
      peerIsTrusted,
      forwardedFields,
    })
  }
  const valuesOf = (wanted: HeaderKind) =>
    head.values.filter((_, index) => head.names[index]!.kind === wanted)
  const forwardedFor =
    forwardedFields === 'rfc7239'
      ? forwardedAddresses(valuesOf(HeaderKind.forwardedStandard))
      : valuesOf(HeaderKind.forwardedFor)
  const clientAddress = trustedProxies.clientAddress(peerAddress, forwardedFor.join(','))
  const [given] = valuesOf(HeaderKind.requestId)
  const requestId = given !== undefined && isRequestId(given) ? given : newRequestId()
  return new Exchange(head, facts, { clientAddress, requestId, peerIsTrusted, forwardedFields })
}
