import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import type { Fields } from './fields.ts'
import { Forwarding } from './forwarding.ts'
import type { Destination, MirrorRuntime } from './runtime.ts'
import type { WorkerContext } from './worker-context.ts'

const mostBytes = 65_536

/**
 * A copy of one request for a shadow service. It is sent when the request is complete, so that it delays nothing; what
 * the service answers is for nobody. A body over 64 KiB is not copied.
 */
export class Mirror {
  readonly #exchange: Exchange
  readonly #runtime: MirrorRuntime
  readonly #context: WorkerContext
  #body: Buffer[] | undefined = []
  #size = 0

  constructor(exchange: Exchange, runtime: MirrorRuntime, context: WorkerContext) {
    this.#exchange = exchange
    this.#runtime = runtime
    this.#context = context
  }

  /** The chunk is used again as soon as this returns. */
  onBody(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > mostBytes) this.#body = undefined
    this.#body?.push(Buffer.from(chunk))
  }

  onEnd(trailers: Fields | undefined): void {
    const runtime = this.#runtime
    if (!this.#body || runtime.inFlight >= this.#context.runtime.limits.mirrors)
      return this.#context.metrics.countMirrorSkipped()
    runtime.inFlight++
    this.#context.metrics.countMirrored()
    const exchange = copyOf(this.#exchange, runtime.destination)
    const forwarding = new Forwarding(
      exchange,
      runtime.destination,
      new Nobody(() => runtime.inFlight--),
      this.#context,
    )
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
