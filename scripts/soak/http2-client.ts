import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { connect as connectPlain, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { AnswerCheck, type Outcome } from './answer-check.ts'
import { type Client, type ClientContext, longestRequest, pause } from './client-context.ts'
import { markOf, Payload } from './payload.ts'
import type { PlannedRequest } from './plan.ts'
import type { Random } from './random.ts'
import { requestFields } from './upstream.ts'
import { write } from './write.ts'

const mostAtOnce = 8
const longestNap = 60

/** One client after another on one connection at a time, until the load ends. */
export async function runHttp2Client(client: Client, context: ClientContext): Promise<void> {
  while (!context.stop.aborted)
    await new Http2Connection(client, context).use(client.random.between(1, mostAtOnce))
}

function open({ port, ca }: Client): Socket {
  const address = { host: '127.0.0.1', port }
  if (ca === undefined) return connectPlain({ ...address, noDelay: true })
  return connectTls({ ...address, ca, servername: 'localhost', ALPNProtocols: ['h2'] }).setNoDelay()
}

/** A connection of a client with several requests at once. */
class Http2Connection {
  readonly #client: Client
  readonly #context: ClientContext
  readonly #random: Random
  readonly #socket: Socket
  readonly #session: ClientHttp2Session
  /** We closed it. */
  #isLeft = false
  #wasAnswered = false
  #error: NodeJS.ErrnoException | undefined

  constructor(client: Client, context: ClientContext) {
    this.#client = client
    this.#context = context
    this.#random = client.random
    context.tally.connections.opened++
    this.#socket = open(client)
    const scheme = client.ca === undefined ? 'http' : 'https'
    this.#session = connect(`${scheme}://localhost`, { createConnection: () => this.#socket })
    this.#session.on('error', (error) => {
      this.#error = error
    })
    this.#session.on('goaway', (code) => {
      if (!this.#isLeft) this.#fail(`was told to go away, with code ${code}`)
    })
    this.#session.once('close', () => {
      if (!this.#isLeft) this.#fail(`was closed by the gateway (${this.#error?.code ?? 'without an error'})`)
    })
  }

  /** Sends requests from so many lanes, one after another in each, and leaves. */
  async use(lanes: number): Promise<void> {
    const all = Array.from({ length: lanes }, () => this.#runLane(this.#random.fork()))
    await Promise.all(all)
    if (!this.#isLeft) this.#leave(this.#random.chance(0.8))
    if (this.#session.closed && this.#session.destroyed) return
    const timer = setTimeout(() => {
      this.#fail('stays open that its client has ended')
      this.#session.destroy()
    }, longestRequest)
    await once(this.#session, 'close')
    clearTimeout(timer)
  }

  get #isUsable(): boolean {
    return !this.#isLeft && !this.#session.closed && !this.#session.destroyed && !this.#context.stop.aborted
  }

  async #runLane(random: Random): Promise<void> {
    const requests = random.between(1, 30)
    for (let index = 0; index < requests && this.#isUsable; index++) {
      const request = this.#context.planner.next(random.chance(0.2))
      const exchange = new Http2Request(this.#session, request, random)
      const sentAt = performance.now()
      const outcome = await exchange.outcome()
      if (exchange.hasAnswer) this.#hasAnswer()
      this.#end(request, sentAt, outcome)
      // Now and then all of the connection goes, with what the other lanes are waiting for.
      if (outcome.kind === 'aborted' && this.#isUsable && random.chance(0.1)) this.#leave(false)
      if (this.#isUsable) await pause(this.#client, random, this.#context.stop)
    }
  }

  #end(request: PlannedRequest, sentAt: number, outcome: Outcome): void {
    const { tally } = this.#context
    const isOurs = this.#isLeft && outcome.kind === 'cut'
    if (outcome.kind === 'aborted') tally.onAbort(request.abort!.at)
    tally.onEnd({
      request,
      protocol: this.#client.protocol,
      sentAt,
      endedAt: performance.now(),
      outcome: isOurs ? { kind: 'aborted' } : outcome,
    })
  }

  #hasAnswer(): void {
    if (this.#wasAnswered) return
    this.#wasAnswered = true
    this.#context.tally.connections.answered++
  }

  #leave(politely: boolean): void {
    this.#isLeft = true
    if (politely) this.#session.close()
    else this.#socket.destroy() // a session would end all streams in order before
  }

  #fail(what: string): void {
    this.#context.tally.fail(`a connection of ${this.#client.protocol} ${what}`)
  }
}

class Http2Request {
  readonly #request: PlannedRequest
  readonly #random: Random
  readonly #check: AnswerCheck
  readonly #stream: ClientHttp2Stream
  readonly #over: Promise<'complete' | 'lost'>
  #isAborted = false
  #isStuck = false
  #error: NodeJS.ErrnoException | undefined

  constructor(session: ClientHttp2Session, request: PlannedRequest, random: Random) {
    this.#request = request
    this.#random = random
    this.#check = new AnswerCheck(request)
    const stream = session.request(headOf(request), { endStream: request.method === 'GET' })
    this.#stream = stream
    stream.on('response', (fields) => this.#onHead(fields))
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#over = new Promise((resolve) => {
      stream.once('end', () => resolve(session.destroyed ? 'lost' : 'complete'))
      stream.once('close', () => resolve('lost'))
    })
    stream.on('error', (error) => {
      this.#error = error
    })
  }

  get hasAnswer(): boolean {
    return this.#check.status !== 0
  }

  async outcome(): Promise<Outcome> {
    const timer = setTimeout(() => {
      this.#isStuck = true
      this.#stream.destroy()
    }, longestRequest)
    void this.#send()
    const end = await this.#over
    clearTimeout(timer)
    // Node.js keeps a stream that was answered before its body was sent, and which the gateway has closed.
    this.#stream.destroy()
    if (this.#isStuck) return { kind: 'stuck', detail: this.#check.progress() }
    if (this.#isAborted) return { kind: 'aborted' }
    if (end === 'complete' && this.hasAnswer && this.#stream.rstCode === constants.NGHTTP2_NO_ERROR)
      return this.#check.outcome()
    const how = this.#error?.code ?? `stream closed with code ${this.#stream.rstCode}`
    return { kind: 'cut', detail: `${this.#check.progress()} (${how})` }
  }

  async #send(): Promise<void> {
    const { id, method, abort, sent } = this.#request
    if (abort?.at === 'head') return this.#abort()
    if (method !== 'GET') {
      const payload = new Payload(markOf('request', id), sent)
      const end = abort?.at === 'body' ? Math.floor(sent * abort.fraction) : sent
      for (const piece of payload.pieces(0, end, this.#random.pick([1_000, 16_384, 65_536])))
        await write(this.#stream, piece)
      if (abort?.at === 'body') return this.#abort()
      this.#stream.end()
    }
    if (abort?.at !== 'wait') return
    await sleep(Math.floor(abort.fraction * 20))
    this.#abort()
  }

  /** Unless it is over already. */
  #abort(): void {
    if (this.#stream.closed || this.#stream.destroyed) return
    this.#isAborted = true
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  #onHead(fields: IncomingHttpHeaders): void {
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)] as const)
    this.#check.onHead(Number(fields[':status']), new Map(texts))
    this.#abortInAnswer()
  }

  #onData(chunk: Buffer): void {
    this.#check.onBody(chunk)
    this.#abortInAnswer()
    if (this.#random.chance(0.01)) void this.#nap()
  }

  #abortInAnswer(): void {
    const { abort, wanted } = this.#request
    if (abort?.at === 'answer' && this.#check.received >= wanted * abort.fraction) this.#abort()
  }

  /** Reads nothing for a while: the gateway has to wait, and to have its upstream wait. */
  async #nap(): Promise<void> {
    this.#stream.pause()
    await sleep(this.#random.between(1, longestNap))
    this.#stream.resume()
  }
}

/** Node.js ends a body before it resets the stream: only its length tells that it is not whole. */
const saysLength = ({ method, isChunked, abort }: PlannedRequest): boolean =>
  method !== 'GET' && (!isChunked || abort?.at === 'head' || abort?.at === 'body')

const headOf = (request: PlannedRequest) => ({
  ':method': request.method,
  ':path': `/${request.route}/${request.id}`,
  ':authority': 'soak.test',
  [requestFields.id]: String(request.id),
  [requestFields.sent]: String(request.sent),
  [requestFields.wanted]: String(request.wanted),
  ...(saysLength(request) && { 'content-length': String(request.sent) }),
})
