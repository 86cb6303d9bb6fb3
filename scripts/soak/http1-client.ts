import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { AnswerCheck, type Outcome } from './answer-check.ts'
import { type Client, type ClientContext, longestRequest, pause } from './client-context.ts'
import { Http1AnswerParser } from './http1-answer-parser.ts'
import type { EndedRequest } from './judge.ts'
import { markOf, Payload } from './payload.ts'
import type { PlannedRequest } from './plan.ts'
import type { Random } from './random.ts'
import { requestFields } from './upstream.ts'
import { write } from './write.ts'

const mostPipelined = 4
const longestNap = 60

/** One client after another on one connection at a time, until the load ends. */
export async function runHttp1Client(client: Client, context: ClientContext): Promise<void> {
  while (!context.stop.aborted) await new Http1Connection(client, context).use(client.random.between(1, 30))
}

function open({ port, ca }: Client): Socket {
  const address = { host: '127.0.0.1', port }
  if (ca === undefined) return connect({ ...address, noDelay: true })
  return connectTls({ ...address, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] }).setNoDelay()
}

interface Pending {
  readonly request: PlannedRequest
  readonly check: AnswerCheck
  readonly sentAt: number
}

class Http1Connection {
  readonly #client: Client
  readonly #context: ClientContext
  readonly #random: Random
  readonly #socket: Socket
  readonly #parser: Http1AnswerParser
  /** Sent, or being sent, and not answered: the first is answered next. */
  #pending: Pending[] = []
  #isClosed = false
  #wasAnswered = false
  /** We closed it. */
  #isLeft = false
  /** The gateway said that it closes behind this answer. */
  #isClosing = false
  #error: NodeJS.ErrnoException | undefined
  /** What was answered last. */
  #last = 'no request'
  #onSettled: () => void = () => {}

  constructor(client: Client, context: ClientContext) {
    this.#client = client
    this.#context = context
    context.tally.connections.opened++
    this.#random = client.random
    this.#parser = new Http1AnswerParser({
      onHead: (status, fields) => this.#onHead(status, fields),
      onBody: (chunk) => this.#pending[0]!.check.onBody(chunk),
      onEnd: () => this.#onAnswer(),
    })
    this.#socket = open(client)
    this.#socket.on('data', (chunk) => this.#onData(chunk))
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    this.#socket.once('close', () => this.#onClose())
  }

  /** Sends so many batches of requests and leaves. */
  async use(batches: number): Promise<void> {
    for (let batch = 0; batch < batches && this.#isUsable; batch++) {
      await this.#sendBatch()
      if (this.#isUsable) await pause(this.#client, this.#random, this.#context.stop)
    }
    if (!this.#isLeft) this.#leave(this.#random.chance(0.8))
    if (this.#isClosed) return
    const timer = setTimeout(() => this.#onNotClosed(), longestRequest)
    await once(this.#socket, 'close')
    clearTimeout(timer)
  }

  get #isUsable(): boolean {
    return !this.#isGone && !this.#context.stop.aborted
  }

  async #sendBatch(): Promise<void> {
    const random = this.#random
    const size = random.chance(0.5) ? 1 : random.between(2, mostPipelined)
    const timer = setTimeout(() => this.#onStuck(), longestRequest)
    for (let index = 0; index < size && !this.#isGone; index++)
      await this.#send(this.#context.planner.next(index === size - 1 && random.chance(0.25)))
    if (this.#pending.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve
      })
    }
    clearTimeout(timer)
  }

  async #send(request: PlannedRequest): Promise<void> {
    const check = new AnswerCheck(request)
    const pending = { request, check, sentAt: performance.now() }
    this.#pending.push(pending)
    const { abort, sent, isChunked } = request
    const head = Buffer.from(headText(request), 'latin1')
    if (abort?.at === 'head') {
      await write(this.#socket, head.subarray(0, Math.floor(head.length * abort.fraction)))
      return this.#abort(request)
    }
    await this.#writeInTwo(head)
    const payload = new Payload(markOf('request', request.id), sent)
    const end = abort?.at === 'body' ? Math.floor(sent * abort.fraction) : sent
    const largest = this.#random.pick([1_000, 16_384, 65_536])
    for (const piece of payload.pieces(0, end, largest)) {
      if (this.#isGone) break
      await write(this.#socket, isChunked ? chunkOf(piece) : piece)
    }
    if (abort?.at === 'body') return this.#abort(request)
    if (isChunked && !this.#isGone) await write(this.#socket, Buffer.from('0\r\n\r\n'))
    if (abort?.at === 'wait') {
      await sleep(Math.floor(abort.fraction * 20))
      this.#abort(request)
    }
  }

  get #isGone(): boolean {
    return this.#isClosed || this.#isLeft || this.#isClosing
  }

  async #writeInTwo(head: Buffer): Promise<void> {
    if (!this.#random.chance(0.2)) return write(this.#socket, head)
    const middle = this.#random.between(1, head.length - 1)
    await write(this.#socket, head.subarray(0, middle))
    await sleep(1)
    await write(this.#socket, head.subarray(middle))
  }

  #abort({ abort }: PlannedRequest): void {
    if (this.#isGone) return
    this.#context.tally.onAbort(abort!.at)
    this.#leave(false)
  }

  #onNotClosed(): void {
    const left = `${this.#socket.writableLength} bytes not sent, ${this.#pending.length} requests not answered`
    this.#context.tally.fail(
      `a connection of ${this.#client.protocol} stays open that its client has ended: ${left}, last: ${this.#last}`,
    )
    this.#socket.destroy()
  }

  #leave(politely: boolean): void {
    this.#isLeft = true
    if (politely) this.#socket.end()
    else if (this.#client.ca === undefined && this.#random.chance(0.5)) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    try {
      this.#parser.execute(chunk)
    } catch (error) {
      const [first] = this.#pending
      const where = first ? `request ${first.request.id}` : 'no request'
      this.#context.tally.fail(
        `in the answer to ${where} by ${this.#client.protocol}: ${(error as Error).message}`,
      )
      this.#leave(false)
    }
    if (this.#random.chance(0.01)) void this.#nap()
    const [first] = this.#pending
    if (first?.request.abort?.at !== 'answer' || first.check.status === 0) return
    if (first.check.received >= first.request.wanted * first.request.abort.fraction)
      this.#abort(first.request)
  }

  /** Reads nothing for a while: the gateway has to wait, and to have its upstream wait. */
  async #nap(): Promise<void> {
    this.#socket.pause()
    await sleep(this.#random.between(1, longestNap))
    this.#socket.resume()
  }

  #onHead(status: number, fields: ReadonlyMap<string, string>): void {
    const [first] = this.#pending
    if (!first) throw new Error(`status ${status} that answers no request`)
    first.check.onHead(status, fields)
    this.#hasAnswer()
    this.#isClosing = fields.get('connection') === 'close'
  }

  #hasAnswer(): void {
    if (this.#wasAnswered) return
    this.#wasAnswered = true
    this.#context.tally.connections.answered++
  }

  #onAnswer(): void {
    const pending = this.#pending.shift()!
    const { request, check } = pending
    this.#end(pending, check.outcome())
    this.#last = `request ${request.id} to /${request.route} with status ${check.status}`
    if (this.#pending.length === 0) this.#onSettled()
  }

  #onStuck(): void {
    const [first, ...behind] = this.#pending.splice(0)
    if (first) this.#end(first, { kind: 'stuck', detail: first.check.progress() })
    for (const pending of behind) this.#end(pending, { kind: 'aborted' })
    this.#leave(false)
  }

  #onClose(): void {
    this.#isClosed = true
    const lost = this.#pending.splice(0)
    if (this.#isLeft) {
      for (const pending of lost) this.#end(pending, { kind: 'aborted' })
    } else if (lost.length > 0) this.#onCut(lost)
    else if (!this.#isClosing)
      this.#context.tally.fail(
        `an idle connection of ${this.#client.protocol} was closed (${this.#how()}), behind ${this.#last}`,
      )
    this.#onSettled()
  }

  /** One that is cut takes along those behind it, and what was not delivered of those before. */
  #onCut(lost: readonly Pending[]): void {
    const ended = lost.map((pending): EndedRequest => {
      const detail = `${pending.check.progress()} (${this.#how()})`
      const hasBegun = pending.check.status !== 0
      return this.#ended(
        pending,
        this.#isClosing && !hasBegun ? { kind: 'not-taken' } : { kind: 'cut', detail },
      )
    })
    const isExplained = ended.some((one) => this.#context.judge.mayBreak(one))
    for (const one of ended) this.#context.tally.onEnd(one, isExplained)
  }

  #how(): string {
    return this.#error?.code ?? 'closed'
  }

  #end(pending: Pick<Pending, 'request' | 'sentAt'>, outcome: Outcome): void {
    this.#context.tally.onEnd(this.#ended(pending, outcome))
  }

  #ended({ request, sentAt }: Pick<Pending, 'request' | 'sentAt'>, outcome: Outcome): EndedRequest {
    return { request, protocol: this.#client.protocol, sentAt, endedAt: performance.now(), outcome }
  }
}

function headText({ id, method, route, sent, isChunked, wanted }: PlannedRequest): string {
  const framing = isChunked ? 'transfer-encoding: chunked\r\n' : `content-length: ${sent}\r\n`
  return (
    `${method} /${route}/${id} HTTP/1.1\r\nhost: soak.test\r\n${requestFields.id}: ${id}\r\n` +
    `${requestFields.sent}: ${sent}\r\n${requestFields.wanted}: ${wanted}\r\n` +
    `${method === 'GET' ? '' : framing}\r\n`
  )
}

const chunkOf = (piece: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
