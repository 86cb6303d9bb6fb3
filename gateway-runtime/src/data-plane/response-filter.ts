import type { Duplex } from 'node:stream'
import { type AnswerReply, BodyTooLarge, type PluginResponse, type Reply } from '../plugins/contract.ts'
import type { ClientTunnel, Downstream } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import type { Fields } from './fields.ts'
import { HeldBody } from './held-body.ts'
import type { HeaderName } from './http1/header-name.ts'
import type { MessageHead } from './http1/parser.ts'
import type { PluginChain } from './plugin-chains.ts'
import { checkedField, settableField } from './plugin-field.ts'
import type { Problem } from './problem.ts'

export interface ResponseFilterEvents {
  /** More of the answer is taken. */
  onRoom(): void
  /** The upstream's answer is not read on. */
  onReplaced(): void
  onFailure(plugin: string, error: unknown): void
}

/** Has plugins see and change the answer of an upstream before the client gets it. */
export class ResponseFilter implements Downstream {
  readonly #exchange: Exchange
  readonly #hooks: PluginChain['onResponse']
  readonly #client: Downstream
  readonly #events: ResponseFilterEvents
  #response: ChangedResponse | undefined
  /** A plugin has not decided yet: what comes of the answer waits. */
  #isDeciding = false
  #held = new HeldBody()
  /** It was given up, maybe within a read of the upstream, which goes on. */
  #isOver = false
  #hasEnded = false
  #trailers: Fields | undefined
  #streams: readonly Duplex[] = []
  /** What comes of the upstream is in vain. */
  #isReplaced = false
  #hasBegun = false

  constructor(
    exchange: Exchange,
    hooks: PluginChain['onResponse'],
    client: Downstream,
    events: ResponseFilterEvents,
  ) {
    this.#exchange = exchange
    this.#hooks = hooks
    this.#client = client
    this.#events = events
  }

  get hasRoom(): boolean {
    if (this.#isDeciding) return this.#held.isWanted
    const [first] = this.#streams
    return first ? !first.writableNeedDrain : this.#client.hasRoom
  }

  get tunnel(): ClientTunnel | undefined {
    return this.#client.tunnel
  }

  sendInterim(status: number, head?: MessageHead): void {
    this.#client.sendInterim(status, head)
  }

  sendHead(head: MessageHead, contentLength: number | undefined): void {
    const response = new ChangedResponse(head, contentLength, this.#exchange.method, {
      body: (limit) => this.#readBody(limit),
      takeTrailers: () => this.#takeTrailers(),
    })
    this.#response = response
    this.#runHooks(response, 0)
  }

  sendBody(chunk: Buffer): void {
    if (this.#isOver || this.#isReplaced) return
    if (this.#isDeciding) {
      this.#held.add(chunk)
      return
    }
    const [first] = this.#streams
    if (!first) return this.#client.sendBody(chunk)
    if (!first.write(Buffer.from(chunk))) first.once('drain', () => this.#events.onRoom())
  }

  endResponse(trailers: Fields | undefined): void {
    if (this.#isOver || this.#isReplaced) return
    this.#trailers = trailers
    this.#hasEnded = true
    if (this.#isDeciding) return this.#held.complete()
    const [first] = this.#streams
    if (first) first.end()
    else this.#client.endResponse(trailers)
  }

  flush(): void {
    if (!this.#isOver) this.#client.flush()
  }

  takeBack(): boolean {
    if (!this.#isDeciding) return this.#streams.length === 0 && this.#client.takeBack()
    this.#forget()
    return true
  }

  reply(problem: Problem): void {
    for (const { plugin, hook } of this.#exchange.chain!.onUpstreamError) {
      try {
        const answer = hook(this.#exchange, problem)
        if (answer) return this.#replaceWith(answer)
      } catch (error) {
        return this.#events.onFailure(plugin, error)
      }
    }
    this.abandon()
    this.#client.reply(problem)
  }

  abort(code: string): void {
    this.abandon()
    this.#client.abort(code)
  }

  pauseBody(): void {
    this.#client.pauseBody()
  }

  resumeBody(): void {
    this.#client.resumeBody()
  }

  /** The client takes more. */
  onClientDrain(): void {
    const last = this.#streams.at(-1)
    if (last) last.resume()
    else this.#events.onRoom()
  }

  /** The answer is for nobody any more. */
  abandon(): void {
    this.#isOver = true
    this.#forget()
    for (const stream of this.#streams) stream.destroy()
  }

  #forget(): void {
    this.#response = undefined
    this.#isDeciding = false
    this.#held = new HeldBody()
    this.#hasEnded = false
  }

  #runHooks(response: ChangedResponse, from: number): void {
    for (let index = from; index < this.#hooks.length; index++) {
      const { plugin, hook } = this.#hooks[index]!
      try {
        const { timings } = this.#exchange
        const outcome = timings
          ? timings.timeHook(plugin, 'response', () => hook(this.#exchange, response))
          : hook(this.#exchange, response)
        if (!(outcome instanceof Promise)) continue
        this.#isDeciding = true
        const proceed = (act: () => void) => {
          if (this.#response !== response) return // it was given up meanwhile
          act()
          this.#client.flush()
        }
        outcome.then(
          () => proceed(() => this.#runHooks(response, index + 1)),
          (error) => proceed(() => this.#events.onFailure(plugin, error)),
        )
        return
      } catch (error) {
        return this.#events.onFailure(plugin, error)
      }
    }
    this.#begin(response)
  }

  #takeTrailers(): [name: string, value: string][] {
    const { names = [], values = [] } = this.#trailers ?? {}
    this.#trailers = undefined
    return names.map(({ lower }, index) => [lower, values[index]!])
  }

  #readBody(limit: number): Promise<Buffer> {
    if (!this.#response || this.#hasBegun) throw new TypeError('the answer is on its way already')
    if (!this.#response.hasBody) return Promise.resolve(Buffer.alloc(0))
    const { contentLength } = this.#response
    if (contentLength !== undefined && contentLength > limit)
      return Promise.reject(new BodyTooLarge(`the body has ${contentLength} bytes`))
    if (this.#hasEnded) this.#held.complete()
    const body = this.#held.read(limit)
    // The hook has not returned its promise yet; what waits for room is told behind it.
    queueMicrotask(() => {
      if (this.#isDeciding) this.#events.onRoom()
    })
    return body
  }

  #replaceWith({ status, headers, body }: AnswerReply): void {
    this.#isReplaced = true
    this.#isDeciding = false
    this.#held = new HeldBody()
    this.#client.sendHead(answerHead(status, headers), body.length)
    if (body.length > 0 && this.#exchange.method !== 'HEAD') this.#client.sendBody(body)
    this.#client.endResponse(undefined)
    this.#client.flush()
  }

  #begin(response: ChangedResponse): void {
    const waited = this.#isDeciding
    this.#isDeciding = false
    this.#hasBegun = true
    if (response.replacement) {
      // What is short is read to its end, so that the connection can be used again.
      if (response.isLong) this.#events.onReplaced()
      const { replacement } = response
      if ('body' in replacement) return this.#replaceWith(replacement)
      this.#isReplaced = true
      return this.#client.reply(replacement)
    }
    if (response.hasBody) this.#connect(response.streams)
    this.#client.sendHead(response.head, this.#streams.length > 0 ? undefined : response.contentLength)
    if (!waited) return
    const { pieces } = this.#held
    this.#held = new HeldBody()
    for (const chunk of pieces) this.sendBody(chunk)
    if (this.#hasEnded) this.endResponse(this.#trailers)
    else this.#events.onRoom()
  }

  #connect(streams: readonly Duplex[]): void {
    this.#streams = streams
    const last = streams.at(-1)
    if (!last) return
    for (const [index, stream] of streams.entries()) {
      stream.on('error', (error) => this.#events.onFailure('a stream of a plugin', error))
      const next = streams[index + 1]
      if (next) stream.pipe(next)
    }
    last.on('data', (chunk: Buffer) => {
      this.#client.sendBody(chunk)
      this.#client.flush()
      if (!this.#client.hasRoom) last.pause()
    })
    last.once('end', () => {
      this.#client.endResponse(this.#trailers)
      this.#client.flush()
    })
  }
}

/** The head of an answer, with what plugins change in it. */
class ChangedResponse implements PluginResponse {
  status: number
  readonly contentLength: number | undefined
  readonly streams: Duplex[] = []
  replacement: Reply | undefined
  readonly bodyEncoding: string
  readonly body: PluginResponse['body']
  readonly takeTrailers: PluginResponse['takeTrailers']
  readonly #method: string
  readonly #head: MessageHead
  #names: HeaderName[]
  #values: string[]

  constructor(
    head: MessageHead,
    contentLength: number | undefined,
    method: string,
    { body, takeTrailers }: Pick<PluginResponse, 'body' | 'takeTrailers'>,
  ) {
    this.body = body
    this.takeTrailers = takeTrailers
    this.status = head.status
    this.contentLength = contentLength
    this.#method = method
    this.#head = head
    this.#names = [...head.names]
    this.#values = [...head.values]
    this.bodyEncoding = this.header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  }

  get hasBody(): boolean {
    return this.#method !== 'HEAD' && this.status !== 204 && this.status !== 304 && this.contentLength !== 0
  }

  /** Of the upstream's own answer. */
  get isLong(): boolean {
    const { status } = this.#head
    if (this.#method === 'HEAD' || status === 204 || status === 304) return false
    return this.contentLength === undefined || this.contentLength > 65_536
  }

  get head(): MessageHead {
    return { ...this.#head, status: this.status, names: this.#names, values: this.#values }
  }

  header(name: string): string | undefined {
    return this.#values[this.#names.findIndex(({ lower }) => lower === name)]
  }

  *headers(): Iterable<readonly [name: string, value: string]> {
    for (const [index, { lower }] of this.#names.entries()) yield [lower, this.#values[index]!]
  }

  setHeader(name: string, value: string): void {
    const field = settableField(name, value)
    this.removeHeader(name)
    this.#names.push(field)
    this.#values.push(value)
  }

  removeHeader(name: string): void {
    const { lower } = settableField(name, '')
    this.#values = this.#values.filter((_, index) => this.#names[index]!.lower !== lower)
    this.#names = this.#names.filter((field) => field.lower !== lower)
  }

  replaceWith(answer: Reply): void {
    this.replacement = answer
  }

  pipe(stream: Duplex): void {
    this.streams.push(stream)
  }
}

/** The head of an answer that a plugin gives. @throws TypeError where a field is none */
export const answerHead = (
  status: number,
  headers: readonly (readonly [name: string, value: string])[],
): MessageHead => ({
  method: '',
  target: '',
  status,
  version: 11,
  keepAlive: true,
  names: headers.map(([name, value]) => checkedField(name, value)),
  values: headers.map(([, value]) => value),
})
