import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Listener } from '../config/schema.ts'
import type { TracedRequest } from '../worker-messages.ts'

/** What somebody wants to see the way of. */
export interface AskedTrace {
  readonly method: string
  /** Its host is told to the gateway as Host, wherever the name leads to. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

const timeout = 30_000
const mostAtOnce = 16

/** Sends requests through the gateway itself, and tells where their time went. */
export class RequestTraces {
  readonly #allow: (tokens: readonly string[]) => Promise<void>
  readonly #waiting = new Map<string, (traced: TracedRequest) => void>()

  /** `allow`: resolves when all workers measure the requests that show one of these tokens, and no others. */
  constructor(allow: (tokens: readonly string[]) => Promise<void>) {
    this.#allow = allow
  }

  /** A worker is done with one. */
  onTraced(traced: TracedRequest): void {
    this.#waiting.get(traced.token)?.(traced)
  }

  /** Rejected where no listener takes it, or it takes over 30 s. */
  async trace(asked: AskedTrace, listeners: readonly Listener[]): Promise<object> {
    if (this.#waiting.size >= mostAtOnce)
      throw new Error('too many requests are being traced; try again later')
    const token = randomBytes(18).toString('base64url')
    const { promise, resolve, reject } = Promise.withResolvers<TracedRequest>()
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeout / 1_000} s`)), timeout)
    this.#waiting.set(token, resolve)
    promise.catch(() => {}) // it may time out while the request is still on its way
    try {
      await this.#allow([...this.#waiting.keys()])
      await send(asked, listenerFor(asked, listeners), token)
      const { token: _, ...traced } = await promise
      return traced
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(token)
      this.#allow([...this.#waiting.keys()]).catch(() => {}) // that worker is on its way out
    }
  }
}

function listenerFor({ url }: AskedTrace, listeners: readonly Listener[]): Listener {
  const protocol = new URL(url).protocol === 'https:' ? 'https' : 'http'
  const found = listeners.find((one) => one.protocol === protocol && !one.proxy_protocol)
  if (found) return found
  throw new Error(`the gateway has no listener for ${protocol} without PROXY headers`)
}

/** To the gateway's own port, which the name in the URL need not lead to. */
function send({ method, url, headers }: AskedTrace, listener: Listener, token: string): Promise<void> {
  const { host, hostname, pathname, search } = new URL(url)
  const own = { '0.0.0.0': '127.0.0.1', '::': '::1' }[listener.host] ?? listener.host
  const ask = listener.protocol === 'https' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = ask({
      agent: false, // a kept connection may close as the request is written
      host: own,
      port: listener.port,
      method,
      path: `${pathname}${search}`,
      headers: { ...headers, host, 'x-gatehouse-trace': token },
      servername: hostname,
      rejectUnauthorized: false, // it is this process
      timeout,
    })
    request.on('response', (response) => response.resume().on('end', resolve).on('error', reject))
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('the gateway did not answer')))
    request.end()
  })
}
