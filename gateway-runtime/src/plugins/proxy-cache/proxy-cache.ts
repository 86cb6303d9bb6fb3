import CachePolicy, { type Message } from 'http-cache-semantics'
import { ExpiringCache } from '../authentication/expiring-cache.ts'
import {
  type AnswerReply,
  definePlugin,
  type Exchange,
  type PluginContext,
  type PluginRequest,
  type PluginResponse,
} from '../contract.ts'
import { AnswerCache, varyNames } from './answer-cache.ts'
import { CacheService } from './cache-service.ts'
import { ChangedResources, reservedBytes } from './changed-resources.ts'
import { type Asked, conditioned } from './conditional.ts'
import { Flights } from './flights.ts'
import { keepBody } from './keep-body.ts'
import { type CacheSettings, cacheSettings } from './settings.ts'
import { SharedStore } from './shared-store.ts'
import { messageOf, type StoredAnswer, storedAnswer } from './stored-answer.ts'

const policyOptions = { shared: true, cacheHeuristic: 0.1 }
/** Milliseconds in which nobody waits for an answer that could not be kept the last time, and for how many keys. */
const unkeptFor = 10_000
const mostUnkept = 1_000

/** How this request came to its answer, as Cache-Status says it (RFC 9211). */
type Way =
  | { readonly kind: 'miss' | 'bypass' }
  /** What is stored has to be confirmed. */
  | { readonly kind: 'stale'; readonly stored: StoredAnswer }

/** A request, and what it would be stored under. */
interface Question {
  readonly exchange: Exchange
  readonly key: string
  readonly request: Message
}

interface Started {
  readonly key: string
  readonly request: Message
  readonly way: Way
  /** SharedStore.purges when the upstream was asked. */
  readonly purges: number
  readonly askedAt: number
  /** Ends the wait of others for the same. */
  readonly settle: () => void
}

/** A shared cache (RFC 9111) for GET and HEAD. */
export const proxyCache = definePlugin({
  name: 'proxy-cache',
  order: 110,
  description: 'Keeps answers of services as they allow it, and gives them to others who ask the same.',
  config: cacheSettings,
  examples: [
    { memory: 268_435_456, sync: 'cluster' },
    { default_ttl: 30, consumers: 'together' },
  ],
  counters: {
    hit: 'Requests that were answered by what was stored.',
    stale: 'Of these, those that got it past its time, as the service allows it.',
    miss: 'Requests for what was not stored.',
    revalidated: 'Requests for what was stored and then confirmed by the service.',
    collapsed: 'Requests that waited for another one of the same.',
    bypass: 'Requests that no cache may answer.',
    found_in_cluster: 'Requests for which another node had kept something.',
    without_redis: 'What Redis was asked or told and gave no answer to.',
  },
  sharedMemory: ({ memory }) => memory + reservedBytes,
  serve: (config, node) => new CacheService(config, node),
  create: (config, gateway) => new ProxyCache(config, gateway),
})

class ProxyCache {
  readonly #settings: CacheSettings
  readonly #gateway: PluginContext
  readonly #store: SharedStore
  readonly #cache: AnswerCache
  readonly #mostBytes: number
  readonly #started = new WeakMap<Exchange, Started>()
  readonly #flights: Flights
  readonly #changed: ChangedResources
  /** What hits of this second are given. */
  readonly #hits = new WeakMap<StoredAnswer, { readonly age: number; readonly answer: AnswerReply }>()
  readonly #unkept = new ExpiringCache<true>(mostUnkept)

  constructor(settings: CacheSettings, gateway: PluginContext) {
    const memory = gateway.sharedMemory!
    const store = new SharedStore(memory, reservedBytes)
    this.#settings = settings
    this.#gateway = gateway
    this.#store = store
    this.#cache = new AnswerCache(store, settings.sync === 'cluster' ? gateway : undefined)
    this.#flights = new Flights(memory, (key) => store.hash(key))
    this.#changed = new ChangedResources(memory, (target) => store.hash(target))
    this.#mostBytes = Math.min(settings.max_entry, store.largest - 65_536)
  }

  onRequest(exchange: Exchange): AnswerReply | undefined | Promise<AnswerReply | undefined> {
    const { method } = exchange.request
    if (method !== 'GET' && method !== 'HEAD') return undefined
    const key = this.#keyOf(exchange)
    const stored = this.#ifUnchanged(exchange, this.#cache.get(key, exchange))
    if (stored && this.#isSimplyFresh(exchange, stored)) return this.#hit(stored, exchange.request)
    const question = { exchange, key, request: this.#messageOf(exchange) }
    const answer = stored && this.#evaluate(question, stored)
    if (answer) return answer
    if (!this.#isLikeOthers(question, stored)) return this.#goOn(question, stored, () => {})
    const end = this.#flights.begin(key)
    return end ? this.#goOn(question, stored, end) : this.#wait(question)
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
    const age = ageOf(stored)
    const known = this.#hits.get(stored)
    if (known?.age === age) return conditioned(asked, known.answer)
    const ttl = Math.round((stored.freshUntil - stored.bornAt) / 1_000) - age
    const answer = answerOf(stored, age, `Gatehouse; hit; ttl=${ttl}`)
    this.#hits.set(stored, { age, answer })
    return conditioned(asked, answer)
  }

  #serveStale(stored: StoredAnswer, asked: Asked): AnswerReply {
    this.#gateway.count('stale')
    return this.#hit(stored, asked)
  }

  /** What the policy says of a request with conditions, or of an answer past its time. */
  #evaluate(question: Question, stored: StoredAnswer): AnswerReply | undefined {
    const { exchange, request } = question
    const { response, revalidation } = stored.policy.evaluateRequest(request)
    if (!response || revalidation?.synchronous) return this.#ifCachedOnly(exchange)
    if (!revalidation) return this.#hit(stored, exchange.request)
    this.#revalidateBehind(question, stored)
    return this.#serveStale(stored, exchange.request)
  }

  /** Whether what it gets would do for others that ask the same, and what they get for it. */
  #isLikeOthers({ exchange: { request: asked }, key, request }: Question, stored?: StoredAnswer): boolean {
    if (!this.#settings.collapse || asked.method !== 'GET' || asked.header('range') !== undefined)
      return false
    const { headers } = request
    if (headers['cache-control'] !== undefined || headers.pragma !== undefined) return false
    return (stored !== undefined || !isConditional(request)) && !this.#unkept.get(key)
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

  async #wait(question: Question): Promise<AnswerReply | undefined> {
    this.#gateway.count('collapsed')
    await this.#flights.end(question.key)
    const { exchange, key } = question
    const stored = this.#ifUnchanged(exchange, this.#cache.get(key, exchange))
    const answer = stored && this.#answerOf(question, stored)
    // It could not be kept: each one asks for itself, and all at once.
    return answer ?? this.#forward(question, stored, () => {})
  }

  #answerOf(question: Question, stored: StoredAnswer): AnswerReply | undefined {
    const { exchange } = question
    if (this.#isSimplyFresh(exchange, stored)) return this.#hit(stored, exchange.request)
    return this.#evaluate(question, stored)
  }

  /** Asks the other nodes for what is not here, then the service. `end`: for those that wait. */
  #goOn(
    question: Question,
    stored: StoredAnswer | undefined,
    end: () => void,
  ): AnswerReply | undefined | Promise<AnswerReply | undefined> {
    if (stored || !this.#cache.hasCluster) return this.#forward(question, stored, end)
    return this.#askCluster(question, end)
  }

  async #askCluster(question: Question, end: () => void): Promise<AnswerReply | undefined> {
    const { exchange, key } = question
    const stored = this.#ifUnchanged(exchange, await this.#cache.fetch(key, exchange))
    if (stored) this.#gateway.count('found_in_cluster')
    const answer = stored && this.#answerOf(question, stored)
    if (!answer) return this.#forward(question, stored, end)
    end()
    return answer
  }

  /** Sends the request on, as one for what is not there or has to be confirmed. */
  #forward(question: Question, stored: StoredAnswer | undefined, end: () => void): AnswerReply | undefined {
    const { exchange, key, request } = question
    const onlyCached = this.#ifCachedOnly(exchange)
    if (onlyCached) {
      end()
      return onlyCached
    }
    // What was asked for in part, or conditionally, is no answer for others.
    const isPartial = exchange.request.header('range') !== undefined
    if (isPartial || (isConditional(request) && !stored)) {
      this.#gateway.count('bypass')
      this.#start(exchange, { key, request, way: { kind: 'bypass' }, settle: end })
      return undefined
    }
    if (stored) this.#setConditions(exchange, request, stored)
    const way: Way = stored ? { kind: 'stale', stored } : { kind: 'miss' }
    this.#start(exchange, { key, request, way, settle: end })
    return undefined
  }

  #start(exchange: Exchange, started: Omit<Started, 'purges' | 'askedAt'>): void {
    this.#started.set(exchange, { ...started, purges: this.#store.purges, askedAt: Date.now() })
  }

  #setConditions({ request }: Exchange, message: Message, { policy }: StoredAnswer): void {
    const headers = policy.revalidationHeaders(message)
    for (const name of ['if-none-match', 'if-modified-since']) {
      const value = headers[name]
      if (value !== undefined) request.setHeader(name, value)
    }
  }

  #onNewAnswer(exchange: Exchange, started: Started, response: PluginResponse): void {
    const { key, request, way, askedAt } = started
    const name = way.kind === 'bypass' ? 'bypass' : 'miss'
    if (name === 'miss') this.#gateway.count('miss')
    const policy = this.#policyOf(request, response)
    const vary = varyNames(policy)
    const isWanted = name === 'miss' && exchange.request.method === 'GET'
    const isKept = isWanted && vary !== undefined && this.#isKept(policy, response)
    exchange.setResponseHeader('cache-status', `Gatehouse; fwd=${name}${isKept ? '; stored' : ''}`)
    if (!isKept) {
      if (isWanted && response.status < 500) this.#unkept.set(key, true, Date.now() + unkeptFor)
      return started.settle()
    }
    const headers = [...response.headers()]
    keepBody(response, this.#mostBytes, (body) => {
      const answer = storedAnswer(policy, { status: response.status, headers, body, askedAt })
      this.#cache.put(key, vary, exchange, answer, started.purges)
      started.settle()
    })
  }

  #isKept(policy: CachePolicy, response: PluginResponse): boolean {
    return (
      response.status !== 206 &&
      response.header('set-cookie') === undefined &&
      (response.contentLength ?? 0) <= this.#mostBytes &&
      policy.storable() &&
      policy.timeToLive() > 0
    )
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
    const confirmed = this.#confirm({ exchange, stored, policy }, started)
    started.settle()
    const asked = askedBy(started.request)
    const answer = answerOf(confirmed, ageOf(confirmed), 'Gatehouse; fwd=stale; fwd-status=304')
    response.replaceWith(conditioned(asked, answer))
  }

  /** Goes on keeping an answer, with the headers that the service has changed (RFC 9111 section 3.2). */
  #confirm(
    { exchange, stored, policy }: { exchange: Exchange; stored: StoredAnswer; policy: CachePolicy },
    { key, purges, askedAt }: Pick<Started, 'key' | 'purges' | 'askedAt'>,
  ): StoredAnswer {
    const headers = Object.entries(policy.responseHeaders())
    const { status, body } = stored
    const confirmed = storedAnswer(policy, { status, headers, body, askedAt })
    this.#cache.put(key, varyNames(policy) ?? [], exchange, confirmed, purges)
    return confirmed
  }

  /** Within stale-while-revalidate: the client has its answer, the next one gets a newer. */
  #revalidateBehind(question: Question, stored: StoredAnswer): void {
    const settle = this.#flights.begin(question.key)
    if (!settle) return
    const asked = { key: question.key, purges: this.#store.purges, askedAt: Date.now() }
    const conditions = stored.policy.revalidationHeaders(question.request)
    const headers = ['if-none-match', 'if-modified-since'].flatMap((name) =>
      conditions[name] === undefined ? [] : [[name, conditions[name]] as const],
    )
    question.exchange
      .fetchUpstream(headers, this.#mostBytes)
      .then((answer) => this.#onFetched(question, stored, answer, asked))
      .catch((error: Error) => this.#gateway.log('warn', 'revalidation failed', { reason: error.message }))
      .finally(settle)
  }

  #onFetched(
    { exchange, key, request }: Question,
    stored: StoredAnswer,
    answer: AnswerReply,
    asked: Pick<Started, 'key' | 'purges' | 'askedAt'>,
  ): void {
    const message = messageOf({ status: answer.status }, answer.headers)
    const { policy, modified } = stored.policy.revalidatedPolicy(request, message)
    if (!modified) {
      if (answer.status === 304) this.#confirm({ exchange, stored, policy }, asked)
      return
    }
    const vary = varyNames(policy)
    if (vary === undefined || !policy.storable()) return this.#cache.delete(key)
    const { purges, askedAt } = asked
    this.#cache.put(key, vary, exchange, storedAnswer(policy, { ...answer, askedAt }), purges)
  }

  /** A method that changes something has succeeded: what is stored of its target is no longer true (section 4.4). */
  #invalidate(exchange: Exchange, response: PluginResponse): void {
    const { request } = exchange
    const isSafe = /^(GET|HEAD|OPTIONS|TRACE|QUERY|PROPFIND)$/.test(request.method)
    if (isSafe || response.status < 200 || response.status >= 400) return
    this.#changed.note(targetOf(request))
    for (const name of ['location', 'content-location']) {
      const named = sameHost(request, response.header(name))
      if (named) this.#changed.note(named.pathname + named.search)
    }
    this.#cache.delete(this.#keyOf(exchange))
  }

  #ifUnchanged({ request }: Exchange, stored: StoredAnswer | undefined): StoredAnswer | undefined {
    return stored && !this.#changed.isOutdated(targetOf(request), stored.askedAt) ? stored : undefined
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
    const isOwned = this.#settings.consumers === 'apart' && (consumer ?? claims) !== undefined
    const owner = isOwned ? JSON.stringify([consumer?.name, claims?.iss, claims?.sub]) : '[]'
    return `${routeName} ${owner} ${scheme}://${host}${path}${query}`
  }
}

/** Seconds. */
const ageOf = ({ bornAt }: StoredAnswer): number => Math.max(Math.floor((Date.now() - bornAt) / 1_000), 0)

const answerOf = (
  { status, headers, body }: StoredAnswer,
  age: number,
  cacheStatus: string,
): AnswerReply => ({
  status,
  headers: [...headers, ['age', String(age)], ['cache-status', cacheStatus]],
  body,
})

const targetOf = ({ path, query }: PluginRequest): string => path + query

/** What a field of an answer refers to, where that is of the same host. */
function sameHost({ scheme, host, path }: PluginRequest, reference = ''): URL | undefined {
  const url = reference === '' ? null : URL.parse(reference, `${scheme}://${host}${path}`)
  return url?.hostname === host ? url : undefined
}

const isConditional = ({ headers }: Message) => Object.keys(headers).some((name) => name.startsWith('if-'))

/** The request as it came: what the gateway sends on has conditions of its own. */
const askedBy = ({ method = 'GET', headers }: Message): Asked => ({ method, header: (name) => headers[name] })
