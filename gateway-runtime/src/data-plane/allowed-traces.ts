import type { TracedRequest } from '../worker-messages.ts'
import type { Exchange } from './exchange.ts'

export const traceHeader = 'x-gatehouse-trace'

/** Requests that the control plane wants to know the way of: each shows a token, which is good for one. */
export class AllowedTraces {
  #tokens = new Set<string>()
  readonly #send: (traced: TracedRequest) => void

  constructor(send: (traced: TracedRequest) => void) {
    this.#send = send
  }

  /** From now on these tokens are good, and no others. */
  allow(tokens: readonly string[]): void {
    this.#tokens = new Set(tokens)
  }

  /** Costs a comparison while nobody traces. Neither plugins nor the upstream see the token. */
  begin(exchange: Exchange): void {
    if (this.#tokens.size === 0) return
    const token = exchange.header(traceHeader)
    if (token === undefined || !this.#tokens.delete(token)) return
    exchange.removeHeader(traceHeader)
    exchange.recordTimings()
    exchange.traceToken = token
  }

  /** `duration`: milliseconds. */
  end(exchange: Exchange, duration: number): void {
    const { traceToken: token, timings } = exchange
    if (token === undefined || !timings) return
    const since = (time: number) => time - timings.startedAt
    this.#send({
      token,
      request_id: exchange.requestId,
      status: exchange.status,
      code: exchange.code ?? null,
      route: exchange.routeName ?? null,
      service: exchange.serviceName ?? null,
      consumer: exchange.consumer?.name ?? null,
      duration,
      plugins: timings.plugins.map((one) => ({ ...one, startedAt: since(one.startedAt) })),
      attempts: timings.attempts.map((one) => ({ ...one, startedAt: since(one.startedAt) })),
    })
  }
}
