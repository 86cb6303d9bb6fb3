import { Transform } from 'node:stream'
import CachePolicy, { type Message } from 'http-cache-semantics'
import { z } from 'zod'
import {
  type AnswerReply,
  definePlugin,
  type Exchange,
  type PluginContext,
  type PluginResponse,
} from '../contract.ts'
import { AnswerCache, varyNames } from './answer-cache.ts'
import { type Asked, conditioned } from './conditional.ts'
import { type Purge, purgeStore } from './purge.ts'
import { SharedStore } from './shared-store.ts'
import { messageOf, type StoredAnswer, storedAnswer } from './stored-answer.ts'

const policyOptions = { shared: true, cacheHeuristic: 0.1 }
const mostWait = 5_000

/** How this request came to its answer, as Cache-Status says it (RFC 9211). */
type Way =
  | { readonly kind: 'miss' | 'bypass' }
  /** What is stored has to be confirmed. */
  | { readonly kind: 'stale'; readonly stored: StoredAnswer }

interface Started {
  readonly key: string
  readonly request: Message
  readonly way: Way
  /** SharedStore.purges when the upstream was asked. */
  readonly purges: number
  /** Ends the wait of others for the same. */
  readonly settle: () => void
}

const settingsSchema = z.strictObject({
  memory: z
    .int()
    .min(1_048_576)
    .max(2 ** 32)
    .default(67_108_864)
    .describe('Bytes for the answers of one node, shared by its workers; the oldest go first.'),
  max_entry: z
    .int()
    .min(1_024)
    .max(2 ** 28)
    .default(1_048_576)
    .describe('Bytes of the largest body that is kept; at most an eighth of the memory.'),
  default_ttl: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(0)
    .describe('Seconds that an answer is fresh which says nothing of it; 0: such answers are not kept.'),
  ignore_client_cache_control: z
    .boolean()
    .default(false)
    .describe('Whether Cache-Control of requests counts for nothing: a client could fetch anew at will.'),
  consumers: z
    .enum(['apart', 'together'])
    .default('apart')
    .describe('Whether consumers are given what was stored for others.'),
  collapse: z
    .boolean()
    .default(true)
    .describe('Whether requests for what is on its way already wait for it.'),
})
type Settings = z.output<typeof settingsSchema>

/** A shared cache (RFC 9111) for GET and HEAD. */
export const proxyCache = definePlugin({
  name: 'proxy-cache',
  order: 110,
  description: 'Keeps answers of services as they allow it, and gives them to others who ask the same.',
  config: settingsSchema,
  examples: [{ memory: 268_435_456 }, { default_ttl: 30, consumers: 'together' }],
  counters: {
    hit: 'Requests that were answered by what was stored.',
    stale: 'Of these, those that got it past its time, as the service allows it.',
    miss: 'Requests for what was not stored.',
    revalidated: 'Requests for what was stored and then confirmed by the service.',
    collapsed: 'Requests that waited for another one of the same.',
    bypass: 'Requests that no cache may answer.',
  },
  sharedMemory: ({ memory }) => memory,
  serve(_, node) {
    const store = new SharedStore(node.sharedMemory!)
    return { onCommand: (command) => purgeStore(store, command as Purge), stop() {} }
  },
  create: (config, gateway) => new ProxyCache(config, gateway),
})

class ProxyCache {
  readonly #settings: Settings
  readonly #gateway: PluginContext
  readonly #store: SharedStore
  readonly #cache: AnswerCache
  readonly #mostBytes: number
  readonly #started = new WeakMap<Exchange, Started>()
  readonly #onTheirWay = new Map<string, Promise<void>>()

  constructor(settings: Settings, gateway: PluginContext) {
    const store = new SharedStore(gateway.sharedMemory!)
    this.#settings = settings
    this.#gateway = gateway
    this.#store = store
    this.#cache = new AnswerCache(store)
    this.#mostBytes = Math.min(settings.max_entry, store.largest - 65_536)
  }

  onRequest(exchange: Exchange): AnswerReply | undefined | Promise<AnswerReply | undefined> {
    const { method } = exchange.request
    if (method !== 'GET' && method !== 'HEAD') return undefined
    const key = this.#keyOf(exchange)
    const stored = this.#cache.get(key, exchange)
    if (stored && this.#isSimplyFresh(exchange, stored)) return this.#hit(stored, exchange.request)
    const request = this.#messageOf(exchange)
    const answer = stored && this.#evaluate(exchange, key, request, stored)
    if (answer) return answer
    const waiting = this.#settings.collapse && method === 'GET' ? this.#onTheirWay.get(key) : undefined
    if (waiting && !stored) return this.#wait(exchange, key, request, waiting)
    return this.#forward(exchange, key, request, stored)
  }

  onResponse(exchange: Exchange, response: PluginResponse): void {
    const started = this.#started.get(exchange)
    if (!started) return this.#invalidate(exchange, response)
    if (started.way.kind === 'stale') this.#onRevalidation(exchange, started, started.way.stored, response)
    else this.#onNewAnswer(exchange, started, response)
  }

  onUpstreamError(exchange: Exchange): AnswerReply | undefined {
    const started = this.#started.get(exchange)
    if (started?.way.kind !== 'stale') return undefined
    const { stored } = started.way
    const failed = messageOf({ status: 503 }, [])
    if (stored.policy.revalidatedPolicy(started.request, failed).modified) return undefined
    return this.#serveStale(stored, askedBy(started.request))
  }

  onEnd(exchange: Exchange): void {
    this.#started.get(exchange)?.settle()
  }

  /** Fresh for a request that says nothing of caches: what all but a few do. */
  #isSimplyFresh({ request }: Exchange, stored: StoredAnswer): boolean {
    if (stored.freshUntil <= Date.now()) return false
    if (this.#settings.ignore_client_cache_control) return true
    return request.header('cache-control') === undefined && request.header('pragma') === undefined
  }

  #hit(stored: StoredAnswer, asked: Asked): AnswerReply {
    this.#gateway.count('hit')
    const ttl = Math.round((stored.freshUntil - Date.now()) / 1_000)
    return this.#replyWith(stored, asked, `Gatehouse; hit; ttl=${ttl}`)
  }

  #serveStale(stored: StoredAnswer, asked: Asked): AnswerReply {
    this.#gateway.count('stale')
    return this.#hit(stored, asked)
  }

  #replyWith(stored: StoredAnswer, asked: Asked, status: string): AnswerReply {
    const age = Math.max(Math.floor((Date.now() - stored.bornAt) / 1_000), 0)
    const headers = [...stored.headers, ['age', String(age)] as const, ['cache-status', status] as const]
    return conditioned(asked, { status: stored.status, headers, body: stored.body })
  }

  /** What the policy says of a request with conditions, or of an answer past its time. */
  #evaluate(
    exchange: Exchange,
    key: string,
    request: Message,
    stored: StoredAnswer,
  ): AnswerReply | undefined {
    const { response, revalidation } = stored.policy.evaluateRequest(request)
    if (!response || revalidation?.synchronous) return this.#ifCachedOnly(exchange)
    if (!revalidation) return this.#hit(stored, exchange.request)
    this.#revalidateBehind(exchange, key, request, stored)
    return this.#serveStale(stored, exchange.request)
  }

  /** `only-if-cached` (RFC 9111 section 5.2.1.7). */
  #ifCachedOnly({ request }: Exchange): AnswerReply | undefined {
    if (!/\bonly-if-cached\b/i.test(request.header('cache-control') ?? '')) return undefined
    return {
      status: 504,
      headers: [['cache-status', 'Gatehouse; detail=only-if-cached']],
      body: Buffer.alloc(0),
    }
  }

  async #wait(
    exchange: Exchange,
    key: string,
    request: Message,
    waiting: Promise<void>,
  ): Promise<AnswerReply | undefined> {
    this.#gateway.count('collapsed')
    await waiting
    const stored = this.#cache.get(key, exchange)
    if (stored && this.#isSimplyFresh(exchange, stored)) return this.#hit(stored, exchange.request)
    // It could not be kept: each one asks for itself, and all at once.
    return this.#forward(exchange, key, request, undefined)
  }

  /** Sends the request on, as one for what is not there or has to be confirmed. */
  #forward(
    exchange: Exchange,
    key: string,
    request: Message,
    stored: StoredAnswer | undefined,
  ): AnswerReply | undefined {
    const onlyCached = this.#ifCachedOnly(exchange)
    if (onlyCached) return onlyCached
    // What was asked for in part, or conditionally, is no answer for others.
    const isPartial = exchange.request.header('range') !== undefined
    const isConditional = /(^|\n)if-/.test(Object.keys(request.headers).join('\n'))
    if (isPartial || (isConditional && !stored)) {
      this.#gateway.count('bypass')
      this.#start(exchange, { key, request, way: { kind: 'bypass' }, settle: () => {} })
      return undefined
    }
    if (stored) this.#setConditions(exchange, request, stored)
    const way: Way = stored ? { kind: 'stale', stored } : { kind: 'miss' }
    this.#start(exchange, { key, request, way, settle: this.#announce(key) })
    return undefined
  }

  #start(exchange: Exchange, started: Omit<Started, 'purges'>): void {
    this.#started.set(exchange, { ...started, purges: this.#store.purges })
  }

  /** Others that ask for the same may wait until what is returned is called, but not for ever. */
  #announce(key: string): () => void {
    if (this.#onTheirWay.has(key)) return () => {}
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onTheirWay.set(key, promise)
    const settle = () => {
      clearTimeout(timer)
      if (this.#onTheirWay.get(key) === promise) this.#onTheirWay.delete(key)
      resolve()
    }
    const timer = setTimeout(settle, mostWait)
    return settle
  }

  #setConditions({ request }: Exchange, message: Message, { policy }: StoredAnswer): void {
    const headers = policy.revalidationHeaders(message)
    for (const name of ['if-none-match', 'if-modified-since']) {
      const value = headers[name]
      if (value !== undefined) request.setHeader(name, value)
    }
  }

  #onNewAnswer(exchange: Exchange, started: Started, response: PluginResponse): void {
    const { key, request, way } = started
    const name = way.kind === 'bypass' ? 'bypass' : 'miss'
    if (name === 'miss') this.#gateway.count('miss')
    const policy = this.#policyOf(request, response)
    const vary = varyNames(policy)
    const isKept =
      name === 'miss' &&
      exchange.request.method === 'GET' &&
      response.status !== 206 &&
      vary !== undefined &&
      response.header('set-cookie') === undefined &&
      (response.contentLength ?? 0) <= this.#mostBytes &&
      policy.storable() &&
      policy.timeToLive() > 0
    exchange.setResponseHeader('cache-status', `Gatehouse; fwd=${name}${isKept ? '; stored' : ''}`)
    if (!isKept) return started.settle()
    const headers = [...response.headers()]
    this.#keepBody(response, (body) => {
      const answer = storedAnswer(policy, { status: response.status, headers, body })
      if (this.#store.purges === started.purges) this.#cache.put(key, vary, exchange, answer)
      started.settle()
    })
  }

  #onRevalidation(
    exchange: Exchange,
    started: Started,
    stored: StoredAnswer,
    response: PluginResponse,
  ): void {
    const message = messageOf({ status: response.status }, response.headers())
    const { policy, modified } = stored.policy.revalidatedPolicy(started.request, message)
    if (modified) return this.#onNewAnswer(exchange, { ...started, way: { kind: 'miss' } }, response)
    if (response.status !== 304)
      return response.replaceWith(this.#serveStale(stored, askedBy(started.request)))
    this.#gateway.count('revalidated')
    const confirmed = this.#confirm(exchange, started.key, stored, policy, started.purges)
    started.settle()
    const asked = askedBy(started.request)
    response.replaceWith(this.#replyWith(confirmed, asked, 'Gatehouse; fwd=stale; fwd-status=304'))
  }

  /** Goes on keeping an answer, with the headers that the service has changed (RFC 9111 section 3.2). */
  #confirm(
    exchange: Exchange,
    key: string,
    stored: StoredAnswer,
    policy: CachePolicy,
    purges: number,
  ): StoredAnswer {
    const headers = Object.entries(policy.responseHeaders())
    const confirmed = storedAnswer(policy, { status: stored.status, headers, body: stored.body })
    if (this.#store.purges === purges) this.#cache.put(key, varyNames(policy) ?? [], exchange, confirmed)
    return confirmed
  }

  /** Within stale-while-revalidate: the client has its answer, the next one gets a newer. */
  #revalidateBehind(exchange: Exchange, key: string, request: Message, stored: StoredAnswer): void {
    if (this.#onTheirWay.has(key)) return
    const settle = this.#announce(key)
    const { purges } = this.#store
    const conditions = stored.policy.revalidationHeaders(request)
    const headers = ['if-none-match', 'if-modified-since'].flatMap((name) =>
      conditions[name] === undefined ? [] : [[name, conditions[name]] as const],
    )
    exchange
      .fetchUpstream(headers, this.#mostBytes)
      .then((answer) => {
        if (this.#store.purges === purges) this.#onFetched(exchange, key, request, stored, answer)
      })
      .catch((error: Error) => this.#gateway.log('warn', 'revalidation failed', { reason: error.message }))
      .finally(settle)
  }

  #onFetched(
    exchange: Exchange,
    key: string,
    request: Message,
    stored: StoredAnswer,
    answer: AnswerReply,
  ): void {
    const message = messageOf({ status: answer.status }, answer.headers)
    const { policy, modified } = stored.policy.revalidatedPolicy(request, message)
    if (!modified) {
      if (answer.status === 304) this.#confirm(exchange, key, stored, policy, this.#store.purges)
      return
    }
    const vary = varyNames(policy)
    if (vary === undefined || !policy.storable()) return this.#cache.delete(key)
    this.#cache.put(key, vary, exchange, storedAnswer(policy, answer))
  }

  /** A method that changes something has succeeded: what is stored of its target is no longer true (section 4.4). */
  #invalidate(exchange: Exchange, { status }: PluginResponse): void {
    const { method } = exchange.request
    const isSafe = /^(GET|HEAD|OPTIONS|TRACE|QUERY|PROPFIND)$/.test(method)
    if (!isSafe && status >= 200 && status < 400) this.#cache.delete(this.#keyOf(exchange))
  }

  #keepBody(response: PluginResponse, keep: (body: Buffer) => void): void {
    if (!response.hasBody) return keep(Buffer.alloc(0))
    let pieces: Buffer[] | undefined = []
    let size = 0
    const mostBytes = this.#mostBytes
    response.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          size += chunk.length
          if (size > mostBytes) pieces = undefined
          pieces?.push(chunk)
          done(null, chunk)
        },
        flush(done) {
          if (pieces) keep(Buffer.concat(pieces, size))
          done()
        },
      }),
    )
  }

  #policyOf(request: Message, response: PluginResponse): CachePolicy {
    const message = messageOf({ status: response.status }, response.headers())
    const policy = new CachePolicy(request, message, policyOptions)
    const saysNothing =
      !message.headers['cache-control'] && !message.headers.expires && !message.headers.pragma
    if (!saysNothing || this.#settings.default_ttl === 0) return policy
    const headers = { ...message.headers, 'cache-control': `max-age=${this.#settings.default_ttl}` }
    return new CachePolicy(request, { ...message, headers }, policyOptions)
  }

  #messageOf({ request }: Exchange): Message {
    const isIgnored = (name: string) => name === 'cache-control' || name === 'pragma'
    const given = [...request.headers()].filter(([name]) => name !== 'host')
    const headers = this.#settings.ignore_client_cache_control
      ? given.filter(([name]) => !isIgnored(name))
      : given
    const url = request.path + request.query
    return messageOf({ url, method: request.method }, [['host', request.host], ...headers])
  }

  /** JSON where a part could hold any character, so that no key can be taken for another. */
  #keyOf({ request, consumer, claims, routeName }: Exchange): string {
    const { scheme, host, path, query } = request
    const owner = JSON.stringify(
      this.#settings.consumers === 'apart' ? [consumer?.name, claims?.iss, claims?.sub] : [],
    )
    return `${routeName} ${owner} ${scheme}://${host}${path}${query}`
  }
}

/** The request as it came: what the gateway sends on has conditions of its own. */
const askedBy = ({ method = 'GET', headers }: Message): Asked => ({ method, header: (name) => headers[name] })
