import type { Agent } from 'undici'

const largest = 1_048_576

export interface JsonRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** Asks the servers of an issuer; bounded in time and size, without redirects. */
export class JsonClient {
  readonly #timeout: number
  readonly #ca: string | undefined
  #agent: Agent | undefined

  /**
   * @param timeout - milliseconds for one answer
   * @param ca - PEM text of the authorities that servers' certificates come from; those of the system where left out
   */
  constructor(timeout: number, ca: string | undefined) {
    this.#timeout = timeout
    this.#ca = ca
  }

  /** The JSON of an answer with status 200. Rejects with why there is none, in words that name the server. */
  async ask(url: string, request: JsonRequest = {}): Promise<unknown> {
    const { status, body } = await this.#exchange(url, request)
    if (status !== 200) throw new Error(`${originOf(url)} answered with status ${status}`)
    try {
      return JSON.parse(body.toString())
    } catch {
      throw new Error(`the answer of ${originOf(url)} is no JSON`)
    }
  }

  /** The same for libraries that take a function such as `fetch`, whatever the status. */
  readonly fetch = async (url: string, request: JsonRequest): Promise<Response> => {
    const { status, headers, body } = await this.#exchange(url, request)
    const fields = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
    return new Response(body.length > 0 ? new Uint8Array(body) : null, { status, headers: fields })
  }

  async #exchange(url: string, { method = 'GET', headers = {}, body, signal }: JsonRequest) {
    const { Agent, request } = (await import('undici')).default // it takes long to load: not before there is a request
    this.#agent ??= new Agent({
      connections: 16,
      connect: { timeout: this.#timeout, ...(this.#ca !== undefined && { ca: this.#ca }) },
      headersTimeout: this.#timeout,
      bodyTimeout: this.#timeout,
    })
    const timeout = AbortSignal.timeout(this.#timeout)
    const response = await request(url, {
      dispatcher: this.#agent,
      method,
      headers: { accept: 'application/json', ...headers },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body !== undefined && { body }),
    }).catch((error: Error) => {
      throw new Error(`${originOf(url)} gave no answer: ${error.message}`)
    })
    const pieces: Buffer[] = []
    let size = 0
    for await (const piece of response.body) {
      size += piece.length
      if (size > largest) throw new Error(`the answer of ${originOf(url)} is larger than 1 MiB`)
      pieces.push(piece)
    }
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }
  }

  /** Breaks off all that is under way. */
  async close(): Promise<void> {
    await this.#agent?.destroy()
  }
}

const originOf = (url: string): string => URL.parse(url)?.origin ?? 'the server'
