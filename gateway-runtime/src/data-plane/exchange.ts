import { now } from '../clock.ts'
import type { ForwardedFields } from '../config/schema.ts'
import type {
  AnswerReply,
  ClientCertificate,
  Consumer,
  Exchange as PluginExchange,
  PluginRequest,
} from '../plugins/contract.ts'
import { HeaderKind, type HeaderName } from './http1/header-name.ts'
import { type RequestHead, withFields } from './http1/request-head.ts'
import type { PluginChain } from './plugin-chains.ts'
import { checkedField, settableField } from './plugin-field.ts'
import type { ResponseFields } from './response-fields.ts'
import type { Destination, RouteRuntime } from './runtime.ts'
import { Timings } from './timings.ts'
import { upstreamPath } from './upstream-path.ts'

/** What a connection of a client knows of itself. */
export interface ClientFacts {
  readonly peerAddress: string
  readonly peerPort: number
  readonly scheme: 'http' | 'https'
  /** What the client has connected to. */
  readonly localAddress: string
  readonly localPort: number
  /** `TLSv1.3`, or undefined without TLS. */
  readonly tlsVersion: string | undefined
  readonly clientCertificate: ClientCertificate | undefined
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
}

/** The body of a request that has not been sent on. */
export interface BodySource {
  fetchUpstream(
    headers: readonly (readonly [name: string, value: string])[],
    limit: number,
  ): Promise<AnswerReply>
  readBody(limit: number): Promise<Buffer>
  replaceBody(body: Buffer): void
}

const none: readonly never[] = []

interface OwnFields {
  readonly names: HeaderName[]
  readonly values: string[]
}

/** One request and what became of it: what plugins see while it lasts, and logs and metrics when it is over. */
export class Exchange implements PluginExchange, PluginRequest {
  /** As the client sent it, with what plugins changed. */
  head: RequestHead
  readonly facts: ClientFacts
  readonly clientAddress: string
  readonly requestId: string
  /** Whether the peer is a trusted proxy: its X-Forwarded-* are passed on. */
  readonly peerIsTrusted: boolean
  readonly forwardedFields: ForwardedFields
  /** Milliseconds of `performance.now()`. */
  readonly startedAt: number
  route: RouteRuntime | undefined
  /** The service that the route chose for this request. */
  destination: Destination | undefined
  /** How much of the path the route matched. */
  matchedLength = 0

  /** Of the answer; 0 until there is one. 499: the client went before. */
  status = 0
  /** Why the gateway answered itself: the `code` of its problem. */
  code: string | undefined
  requestBytes = 0
  responseBytes = 0
  /** The protocol of a tunnel that the target is asked for; with status 101 there is one. */
  tunnel: string | undefined
  /** How often a target was tried. */
  attempts = 0
  /** The target that answered or failed last. */
  target: string | undefined
  /** What consistent hashing goes by: the same for all attempts. */
  balancingHash: number | undefined
  /** Milliseconds from the first attempt to the head of the answer, or to the last failure. */
  upstreamTime = 0
  /** The fields of `head`, where plugins have changed any. */
  #ownFields: OwnFields | undefined
  /** What plugins add to the answer. */
  extraFields: (readonly [name: HeaderName, value: string])[] = []
  /** The same, of plugins that knew them beforehand; they stand before those of `extraFields`. */
  fixedFields: readonly ResponseFields[] = none
  /** Fields of an upstream's answer that the client does not see, beside those that `fixedFields` hide; lower-case. */
  #hiddenFields: string[] | undefined
  consumer: Consumer | undefined
  claims: Readonly<Record<string, unknown>> | undefined
  traceId: string | undefined
  /** Of a request that `gateway-cli trace` has sent. */
  traceToken: string | undefined
  /** Undefined while nobody wants to know them. */
  timings: Timings | undefined
  /** What the upstream is called for by gRPC, whatever the client asked for; undefined: what it asked for. */
  grpcPath: string | undefined
  /** Of the plugins that see the request; undefined before it was routed. */
  chain: PluginChain | undefined
  /** Bytes of the body that a plugin lets pass at most. */
  bodyLimit = Number.POSITIVE_INFINITY
  /** Where the body comes from; undefined for a copy. */
  bodySource: BodySource | undefined

  constructor(
    head: RequestHead,
    facts: ClientFacts,
    client: Pick<Exchange, 'clientAddress' | 'requestId' | 'peerIsTrusted' | 'forwardedFields'>,
  ) {
    this.head = head
    this.facts = facts
    this.clientAddress = client.clientAddress
    this.requestId = client.requestId
    this.peerIsTrusted = client.peerIsTrusted
    this.forwardedFields = client.forwardedFields
    this.startedAt = now()
  }

  get request(): PluginRequest {
    return this
  }

  get clientCertificate(): ClientCertificate | undefined {
    return this.facts.clientCertificate
  }

  get method(): string {
    return this.head.method
  }

  get path(): string {
    return this.head.path
  }

  get query(): string {
    return this.head.query
  }

  get host(): string {
    return this.head.host
  }

  get scheme(): 'http' | 'https' {
    return this.facts.scheme
  }

  get protocol(): 'HTTP/1.1' | 'HTTP/2' {
    return this.facts.protocol
  }

  get contentLength(): number | undefined {
    return this.head.contentLength
  }

  get routeName(): string | undefined {
    return this.route?.route.name
  }

  get serviceName(): string | undefined {
    return this.destination?.service.name
  }

  get upstreamTarget(): string | undefined {
    if (this.destination && this.grpcPath !== undefined) return this.destination.service.path + this.grpcPath
    return this.destination && upstreamPath(this.destination, this.head, this.matchedLength)
  }

  header(name: string): string | undefined {
    const { names, values } = this.head
    for (let index = 0; index < names.length; index++) {
      const { lower, kind } = names[index]!
      if (lower === name) return kind === HeaderKind.gatewayOwned ? undefined : values[index]
    }
    return undefined
  }

  *headers(): Iterable<readonly [name: string, value: string]> {
    const { names, values } = this.head
    for (let index = 0; index < names.length; index++) {
      const { lower, kind } = names[index]!
      if (kind !== HeaderKind.gatewayOwned) yield [lower, values[index]!]
    }
  }

  setHeader(name: string, value: string): void {
    const field = settableField(name, value)
    const { names, values } = this.#withoutField(field.lower)
    names.push(field)
    values.push(value)
  }

  removeHeader(name: string): void {
    const { lower } = settableField(name, '')
    if (this.head.names.some((field) => field.lower === lower)) this.#withoutField(lower)
  }

  acceptTrailers(): void {
    if (!this.head.acceptsTrailers) this.head = { ...this.head, acceptsTrailers: true }
  }

  callGrpc(path: string): void {
    if (!/^\/[\w.]+\/\w+$/.test(path)) throw new TypeError(`no path of a method of gRPC: ${path}`)
    this.grpcPath = path
    this.acceptTrailers()
  }

  setQuery(query: string): void {
    if (!/^(\?[\x21-\x22\x24-\x7e]*)?$/.test(query)) throw new TypeError('not a query')
    this.head = { ...this.head, query }
  }

  body(limit: number): Promise<Buffer> {
    if (!this.bodySource) throw new TypeError('the request is on its way already')
    return this.bodySource.readBody(limit)
  }

  limitBody(bytes: number): void {
    this.bodyLimit = Math.min(this.bodyLimit, bytes)
  }

  fetchUpstream(
    headers: readonly (readonly [name: string, value: string])[],
    limit: number,
  ): Promise<AnswerReply> {
    if (!this.bodySource) throw new TypeError('the request is on its way already')
    return this.bodySource.fetchUpstream(headers, limit)
  }

  replaceBody(body: Buffer): void {
    if (!this.bodySource) throw new TypeError('the request is on its way already')
    this.bodySource.replaceBody(body)
  }

  /** The fields of the request, to be changed: without this one, which `Connection` cannot take away later either. */
  #withoutField(name: string): OwnFields {
    const own = this.#takeOverFields()
    const { names, values } = own
    for (let index = names.length - 1; index >= 0; index--) {
      if (names[index]!.lower !== name) continue
      names.splice(index, 1)
      values.splice(index, 1)
    }
    const { connectionFields } = this.head
    if (connectionFields.includes(name)) {
      const left = connectionFields.filter((option) => option !== name)
      this.head = { ...this.head, connectionFields: left }
    }
    return own
  }

  /** A copy, once: the head itself may be in use elsewhere. */
  #takeOverFields(): OwnFields {
    if (this.#ownFields) return this.#ownFields
    const own = { names: this.head.names.slice(), values: this.head.values.slice() }
    this.#ownFields = own
    this.head = withFields(this.head, own)
    return own
  }

  authenticate(consumer: Consumer, claims?: Readonly<Record<string, unknown>>): void {
    if (this.consumer) return
    this.consumer = consumer
    this.claims = claims
  }

  recordTimings(): Timings {
    this.timings ??= new Timings(this.startedAt)
    return this.timings
  }

  addResponseHeader(name: string, value: string): void {
    this.extraFields.push([checkedField(name, value), value])
  }

  setResponseHeader(name: string, value: string): void {
    const field = settableField(name, value)
    this.#hideField(field.lower)
    this.extraFields.push([field, value])
  }

  removeResponseHeader(name: string): void {
    this.#hideField(settableField(name, '').lower)
  }

  applyResponseFields(fields: ResponseFields): void {
    if (this.extraFields.length > 0)
      this.extraFields = this.extraFields.filter(([{ lower }]) => !fields.hides(lower))
    const earlier = this.fixedFields.map((fixed) => fixed.except((name) => fields.hides(name)))
    this.fixedFields = [...earlier, fields]
  }

  /** Whether the client does not see the upstream's field of this name; lower-case. */
  hides(name: string): boolean {
    for (const fixed of this.fixedFields) if (fixed.hides(name)) return true
    return this.#hiddenFields?.includes(name) ?? false
  }

  #hideField(name: string): void {
    for (const [field] of this.extraFields) {
      if (field.lower !== name) continue
      this.extraFields = this.extraFields.filter(([{ lower }]) => lower !== name)
      break
    }
    if (this.fixedFields.length > 0)
      this.fixedFields = this.fixedFields.map((fixed) => fixed.except((later) => later === name))
    this.#hiddenFields ??= []
    this.#hiddenFields.push(name)
  }
}
