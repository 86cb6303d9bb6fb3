import type { AnswerReply } from '../plugins/contract.ts'
import type { Downstream } from './downstream.ts'
import { Exchange } from './exchange.ts'
import { writeResponseFields } from './fields.ts'
import { Forwarding } from './forwarding.ts'
import type { MessageHead } from './http1/parser.ts'
import type { Problem } from './problem.ts'
import type { Destination } from './runtime.ts'
import type { WorkerContext } from './worker-context.ts'

/**
 * Asks a destination what an exchange asks, without a body, beside that exchange. Retries and circuits are those of
 * any request. Rejected where there is no answer, or one of more than `limit` bytes.
 */
export function fetchUpstream(
  exchange: Exchange,
  destination: Destination,
  context: WorkerContext,
  headers: readonly (readonly [name: string, value: string])[],
  limit: number,
): Promise<AnswerReply> {
  const { promise, resolve, reject } = Promise.withResolvers<AnswerReply>()
  const copy = new Exchange(exchange.head, exchange.facts, exchange)
  copy.route = exchange.route
  copy.matchedLength = exchange.matchedLength
  copy.destination = destination
  copy.consumer = exchange.consumer
  for (const [name, value] of headers) copy.setHeader(name, value)
  const collector = new AnswerCollector(limit, {
    resolve,
    reject: (error) => {
      forwarding.abandon()
      reject(error)
    },
  })
  const forwarding = new Forwarding(copy, destination, collector, context)
  forwarding.start()
  forwarding.onRequestEnd(undefined)
  forwarding.flushRequest()
  return promise
}

interface Settling {
  resolve(answer: AnswerReply): void
  reject(error: Error): void
}

/** A client that keeps what it is given. */
class AnswerCollector implements Downstream {
  readonly hasRoom = true
  readonly tunnel = undefined
  readonly #limit: number
  readonly #settling: Settling
  #head: MessageHead | undefined
  #body: Buffer[] = []
  #size = 0

  constructor(limit: number, settling: Settling) {
    this.#limit = limit
    this.#settling = settling
  }

  sendInterim(): void {}
  flush(): void {}
  pauseBody(): void {}
  resumeBody(): void {}

  sendHead(head: MessageHead): void {
    this.#head = head
  }

  takeBack(): boolean {
    this.#head = undefined
    this.#body = []
    this.#size = 0
    return true
  }

  sendBody(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#limit)
      return this.#settling.reject(new Error(`the answer has more than ${this.#limit} bytes`))
    this.#body.push(Buffer.from(chunk))
  }

  endResponse(): void {
    const headers: [string, string][] = []
    writeResponseFields(this.#head!, { field: (name, value) => headers.push([name.lower, value]) })
    this.#settling.resolve({
      status: this.#head!.status,
      headers,
      body: Buffer.concat(this.#body, this.#size),
    })
  }

  reply({ code }: Problem): void {
    this.#settling.reject(new Error(code))
  }

  abort(code: string): void {
    this.#settling.reject(new Error(code))
  }
}
