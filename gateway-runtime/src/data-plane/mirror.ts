import type { MirrorResult } from '../telemetry/metrics.ts'
import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import type { Fields } from './fields.ts'
import { Forwarding } from './forwarding.ts'
import type { Destination } from './runtime.ts'
import type { WorkerContext } from './worker-context.ts'

const mostBytes = 65_536

/** How many copies one worker makes at once: over all routes, and over reloads. */
export class MirrorSlots {
  #taken = 0

  tryTake(limit: number): boolean {
    if (this.#taken >= limit) return false
    this.#taken++
    return true
  }

  release(): void {
    this.#taken--
  }
}

/**
 * A copy of one request for a shadow service. It is sent when the request is complete, and behind it, so that it delays
 * nothing; what the service answers is for nobody. A body over 64 KiB is not copied. The copy is equal to the request,
 * with nothing to tell it by: what a service does with a marked request says little of what it would do with real ones.
 */
export class Mirror {
  readonly #exchange: Exchange
  readonly #destination: Destination
  readonly #context: WorkerContext
  #body: Buffer[] = []
  #size = 0
  #isOver = false

  private constructor(exchange: Exchange, destination: Destination, context: WorkerContext) {
    this.#exchange = exchange
    this.#destination = destination
    this.#context = context
  }

  /** Undefined, and counted, where the request cannot be copied: its body is too large, or the worker copies many. */
  static begin(exchange: Exchange, destination: Destination, context: WorkerContext): Mirror | undefined {
    const { contentLength } = exchange.head
    const { metrics, mirrorSlots, runtime } = context
    if (contentLength !== undefined && contentLength > mostBytes) {
      metrics.countMirror('too_large')
      return undefined
    }
    if (!mirrorSlots.tryTake(runtime.limits.mirrors)) {
      metrics.countMirror('over_limit')
      return undefined
    }
    const mirror = new Mirror(exchange, destination, context)
    // It is complete with its head; its own service may well refuse it before its end is told.
    if (contentLength === 0) mirror.onEnd(undefined)
    return mirror
  }

  /** The chunk is used again as soon as this returns. */
  onBody(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > mostBytes) this.#drop('too_large')
    else this.#body.push(Buffer.from(chunk))
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#context.metrics.countMirror('sent')
    // Not before the request itself has left.
    setImmediate(() => this.#send(trailers))
  }

  /** The request is over; one that never was complete is not sent. */
  onRequestOver(): void {
    this.#drop('incomplete')
  }

  #drop(result: MirrorResult): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#body = []
    this.#context.mirrorSlots.release()
    this.#context.metrics.countMirror(result)
  }

  #send(trailers: Fields | undefined): void {
    const exchange = copyOf(this.#exchange, this.#destination)
    const nobody = new Nobody(() => this.#context.mirrorSlots.release())
    const forwarding = new Forwarding(exchange, this.#destination, nobody, this.#context)
    forwarding.start()
    for (const chunk of this.#body) forwarding.onRequestBody(chunk)
    forwarding.onRequestEnd(trailers)
    forwarding.flushRequest()
  }
}

function copyOf(exchange: Exchange, destination: Destination): Exchange {
  const copy = new Exchange(exchange.head, exchange.facts, exchange)
  copy.route = exchange.route
  copy.matchedLength = exchange.matchedLength
  copy.destination = destination
  return copy
}

/** A client that takes everything and wants nothing. */
class Nobody implements Downstream {
  readonly hasRoom = true
  readonly tunnel = undefined
  #onOver: (() => void) | undefined

  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  sendInterim(): void {}
  sendHead(): void {}
  sendBody(): void {}
  flush(): void {}
  pauseBody(): void {}
  resumeBody(): void {}

  takeBack(): boolean {
    return false
  }

  endResponse(): void {
    this.#over()
  }

  reply(): void {
    this.#over()
  }

  abort(): void {
    this.#over()
  }

  #over(): void {
    this.#onOver?.()
    this.#onOver = undefined
  }
}
