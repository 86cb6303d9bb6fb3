import type { Duplex } from 'node:stream'
import type { z } from 'zod'
import type { ClusterNodes } from '../control-plane/redis/live-nodes.ts'
import type { Redis } from '../control-plane/redis/redis.ts'
import { ResponseFields } from '../data-plane/response-fields.ts'

/*
 * What a plugin is. Its handlers run on the workers, on the way of requests; its service, where it has one, runs
 * once on the node, where it may wait for the network and the disk.
 */

/** A request as plugins see it. Names of headers are given in lower case. */
export interface PluginRequest {
  readonly method: string
  /** Normalised path, without the query. */
  readonly path: string
  /** Query with its question mark, or ''. */
  readonly query: string
  /** Of Host or :authority: lower-case, without port. */
  readonly host: string
  readonly scheme: 'http' | 'https'
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  /** The first value of a header, or undefined. */
  header(name: string): string | undefined
  /** All fields in their order, those that frame the message too. */
  headers(): Iterable<readonly [name: string, value: string]>
  /** Has the upstream see this one value, in the place of any that the client sent. Throws where it cannot be set. */
  setHeader(name: string, value: string): void
  /** Keeps a header from the upstream. */
  removeHeader(name: string): void
  /**
   * What the upstream is asked for as things stand: path, as its route cuts or rewrites it, and query. Undefined where
   * no upstream is, or what is left is no path.
   */
  readonly upstreamTarget: string | undefined
  /** Tells the upstream that trailers are welcome, whatever the client can take of them. */
  acceptTrailers(): void
  /**
   * Calls this method of gRPC at the upstream, in place of what the client asked for.
   * @param path - below that of the service: `/package.Service/Method`
   */
  callGrpc(path: string): void
  /** Replaces the query that the upstream sees; with its question mark, or ''. */
  setQuery(query: string): void
  /** Bytes of the body where the client announced them; 0: none; undefined: not announced. */
  readonly contentLength: number | undefined
  /**
   * The whole body; the upstream still gets it. Only while the request is on its way to the upstream.
   * @throws BodyTooLarge past `limit` bytes
   */
  body(limit: number): Promise<Buffer>
  /** Answers 413 to the client once its body has more bytes; the lowest of all limits counts. */
  limitBody(bytes: number): void
  /** Has the upstream see another body; after `body`. */
  replaceBody(body: Buffer): void
}

/** The body of a request or an answer is larger than a plugin takes. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
}

/** The answer of an upstream, before it goes to the client. Names of headers are given in lower case. */
export interface PluginResponse {
  status: number
  /** Bytes of its body where they are known. */
  readonly contentLength: number | undefined
  /** Whether the client is sent a body: not for HEAD, 204 and 304. */
  readonly hasBody: boolean
  header(name: string): string | undefined
  headers(): Iterable<readonly [name: string, value: string]>
  setHeader(name: string, value: string): void
  removeHeader(name: string): void
  /**
   * The whole body; the client still gets it. Only before the hook has returned, or its promise has been fulfilled.
   * @throws BodyTooLarge past `limit` bytes; what was read is not lost
   */
  body(limit: number): Promise<Buffer>
  /** How the bytes of `body` are encoded, in lower case: `identity`, `gzip`, …, whatever plugins have set since. */
  readonly bodyEncoding: string
  /** Gives the client another answer in the place of this one, whose body is not read. */
  replaceWith(answer: Reply): void
  /**
   * The trailers of the upstream, names in lower case, which the client is then not sent; known when a stream of
   * `pipe` has been given the last byte, that is, in its `flush`.
   */
  takeTrailers(): readonly (readonly [name: string, value: string])[]
  /** Leads the body through a stream. Plugins' streams follow each other in the order of the calls. */
  pipe(stream: Duplex): void
}

/** A certificate that a client has shown and that was verified. */
export interface ClientCertificate {
  /** Distinguished name as RFC 4514 writes it: `CN=orders,O=Example`. */
  readonly subject: string
  /** Alternative names: `DNS:orders.example.com`, `URI:spiffe://example.com/orders`. */
  readonly names: readonly string[]
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string
}

/** Who makes requests, as the configuration names them. */
export interface Consumer {
  readonly name: string
  /** What another system calls it. */
  readonly customId: string | undefined
  readonly groups: readonly string[]
}

/** One request and its answer, on their way through the gateway. */
export interface Exchange {
  readonly request: PluginRequest
  /** Address of the client: the peer, or what a trusted proxy said. */
  readonly clientAddress: string
  readonly requestId: string
  /** Undefined where the listener asks for none, or the client showed none. */
  readonly clientCertificate: ClientCertificate | undefined
  readonly routeName: string | undefined
  readonly serviceName: string | undefined
  /** Who an authentication plugin found the client to be. */
  readonly consumer: Consumer | undefined
  /** Claims of a token that was verified. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
  /** Of the trace that the request belongs to, for access.log: 32 lower-case hexadecimal digits. */
  traceId: string | undefined
  /** What took how long, from the first call on: whoever asks for it costs the request a little time. */
  recordTimings(): RequestTimings
  /**
   * Says who the client is. Plugins of the consumer take the place of those of the route from here on. The first of
   * several authentication plugins that knows the client counts.
   */
  authenticate(consumer: Consumer, claims?: Readonly<Record<string, unknown>>): void
  /**
   * Asks the upstream the same, beside the request itself, which may be answered meanwhile. Only while the request is
   * on its way to the upstream, and has no body. `headers` are set as by `setHeader`.
   * @throws where the upstream gives no answer, or one of more than `limit` bytes
   */
  fetchUpstream(
    headers: readonly (readonly [name: string, value: string])[],
    limit: number,
  ): Promise<AnswerReply>
  /** Adds a header to the answer, whoever makes it. */
  addResponseHeader(name: string, value: string): void
  /** Gives the answer this one value, in the place of any that the upstream sent. */
  setResponseHeader(name: string, value: string): void
  /** Keeps a header of the upstream from the client. */
  removeResponseHeader(name: string): void
  /** Does both, for headers that are known when the plugin is configured: quicker than one by one. */
  applyResponseFields(fields: ResponseFields): void
}

/** What a plugin has done with a request. Times are those of `performance.now()`, in milliseconds. */
export interface PluginTiming {
  readonly plugin: string
  readonly phase: 'request' | 'response'
  readonly startedAt: number
  readonly duration: number
}

/** One try of a target. */
export interface AttemptTiming {
  /** host:port */
  readonly target: string
  readonly startedAt: number
  /** Until the head of its answer, or its failure; undefined: it was still awaited. */
  readonly duration: number | undefined
  /** Of its answer. */
  readonly status: number | undefined
  /** Why it gave none: `connection-refused`. */
  readonly failure: string | undefined
}

/** What took how long on the way of one request. */
export interface RequestTimings {
  /** When the head of the request was there. */
  readonly startedAt: number
  readonly plugins: readonly PluginTiming[]
  readonly attempts: readonly AttemptTiming[]
}

/** What became of a request, when it is over. */
export interface Outcome {
  readonly status: number
  /** Why the gateway answered itself: the code of its problem. */
  readonly code: string | undefined
  readonly requestBytes: number
  readonly responseBytes: number
  /** Milliseconds. */
  readonly duration: number
  /** Milliseconds that the upstream took to begin its answer; 0 where none was asked. */
  readonly upstreamTime: number
  readonly attempts: number
  /** host:port of the target that was asked last. */
  readonly target: string | undefined
}

/** A refusal; the client gets application/problem+json (RFC 9457). */
export interface ProblemReply {
  readonly status: number
  /** Stable, for programs: `rate-limit-exceeded`. */
  readonly code: string
  /** For people: what was wrong and what to do. Never holds an upstream's address or a secret. */
  readonly detail: string
}

/** An answer that a plugin gives in place of the upstream. */
export interface AnswerReply {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

export type Reply = ProblemReply | AnswerReply

export interface PluginHandlers {
  /**
   * Where they need time to get ready: the configuration is in force when all are, and the one before goes on
   * meanwhile. Rejected where they cannot; then the configuration is refused.
   */
  readonly ready?: Promise<void>
  /** Return nothing to go on, a reply to end here, or a promise of either. A synchronous hook costs no promise. */
  onRequest?(exchange: Exchange): Reply | undefined | Promise<Reply | undefined>
  /** An upstream has answered. Plugins see the answer in the opposite order: who saw the request last is first. */
  onResponse?(exchange: Exchange, response: PluginResponse): void | Promise<void>
  /** No upstream could answer, for this reason; an answer that is returned goes to the client in its place. */
  onUpstreamError?(exchange: Exchange, problem: ProblemReply): AnswerReply | undefined
  /** The exchange is over, however it ended. Must not wait. */
  onEnd?(exchange: Exchange, outcome: Outcome): void
}

/** A credential of a consumer. */
export interface Credential<Value = unknown> {
  readonly consumer: Consumer
  readonly value: Value
}

/** What the gateway gives the handlers of a plugin, on each worker. */
export interface PluginContext {
  /** Which worker this is, from 0; one that died is replaced by another of its number. */
  readonly worker: number
  /** Memory of the size that `sharedMemory` asked for, the same in every worker, kept while the configuration is. */
  readonly sharedMemory: SharedArrayBuffer | undefined
  /** Credentials that consumers have for this plugin, by their `key`. */
  readonly credentials: ReadonlyMap<string, Credential>
  /** Adds to one of the plugin's `counters`. */
  count(counter: string, by?: number): void
  /** Writes to the error log of the gateway; never a secret. */
  log(level: 'info' | 'warn' | 'error', event: string, fields?: Readonly<Record<string, unknown>>): void
  /** Asks the service of the plugin. Rejected where it fails, has too much to do, or takes over 10 s. */
  call(message: unknown): Promise<unknown>
  /** Called with what the service broadcasts, and at once with what it broadcast last. */
  onBroadcast(listener: (message: unknown) => void): void
}

/** What the nodes of a cluster share. */
export interface SharedStore {
  readonly redis: Redis
  /** All nodes that share it, as of now. */
  readonly nodes: ClusterNodes
}

/** What the gateway gives the service of a plugin, on the main thread of the node. */
export interface PluginNode {
  /** Scope and name of the plugin: the same on all nodes of one configuration. */
  readonly id: string
  /** Undefined where the configuration has no `redis`. */
  readonly shared: SharedStore | undefined
  readonly sharedMemory: SharedArrayBuffer | undefined
  /** How many workers the node has. */
  readonly workers: number
  log(level: 'info' | 'warn' | 'error', event: string, fields?: Readonly<Record<string, unknown>>): void
  /** Sends to the handlers on all workers, those too that start later: they get the last one. Cloneable values. */
  broadcast(message: unknown): void
}

/** A metric that a plugin adds to those of the node: `gatehouse_NAME`. */
export interface PluginMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** `suffix`: `_bucket`, `_sum` or `_count` of a histogram. */
  readonly samples: readonly {
    readonly suffix?: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

/** The part of a plugin that runs once on the node. */
export interface PluginService {
  /** What a scrape shows of it; must not wait. Of several services, metrics of one name are shown as one. */
  metrics?(): readonly PluginMetric[]
  /** Answers `call` of a worker. */
  onCall?(message: unknown): unknown
  /** Answers what an operator asks through the admin API. Throws what is wrong with the question. */
  onCommand?(command: unknown): unknown
  /** Ends all that was begun. */
  stop(): void | Promise<void>
}

export interface PluginDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  /** A higher one sees a request first. Authentication has 1000 to 1999. */
  readonly order: number
  /** One sentence, for lists and docs. */
  readonly description: string
  readonly config: Schema
  /** Configurations that show what it is for, for its page. */
  readonly examples?: readonly z.input<Schema>[]
  /** What consumers may have for it. `key` tells a credential from all others: it is stored and compared. */
  readonly credentials?: CredentialType
  /** What it counts, with a sentence for each: `gatehouse_plugin_events_total{plugin=…,event=NAME}`. */
  readonly counters?: Readonly<Record<string, string>>
  /** Bytes of memory that all workers share, for this configuration; a changed configuration gets new memory. */
  sharedMemory?(config: z.output<Schema>): number
  /** Runs once a worker and configuration; all work that does not need a request belongs here. */
  create(config: z.output<Schema>, gateway: PluginContext): PluginHandlers
  /** Runs once a node and configuration, before the workers use it. */
  serve?(config: z.output<Schema>, node: PluginNode): PluginService
}

/** The credentials of a kind of authentication. */
export interface CredentialType<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema
  /** Unique among all credentials of the kind, such as a hash of an API key. */
  key(credential: z.output<Schema>): string
}

/** Checks a credential type; returns it as it is. */
export const defineCredentials = <Schema extends z.ZodType>(type: CredentialType<Schema>) =>
  type as unknown as CredentialType

/**
 * Headers for `applyResponseFields`: those that answers are given, in the place of what upstreams sent, and those that
 * are kept from clients.
 * @throws TypeError where one is no header, or the gateway alone says what stands there
 */
export const responseFields = (
  set: readonly (readonly [name: string, value: string])[],
  removed: readonly string[] = [],
) => ResponseFields.of(set, removed)

/** Checks a plugin's types; returns it as it is. */
export const definePlugin = <Schema extends z.ZodType>(plugin: PluginDefinition<Schema>) => plugin
