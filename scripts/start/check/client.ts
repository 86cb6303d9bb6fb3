import { request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'
import type { TLSSocket } from 'node:tls'

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** `TLSv1.3`; undefined without TLS. */
  readonly tls: string | undefined
}

export interface SendOptions extends Pick<RequestOptions, 'method' | 'headers' | 'ca'> {
  /** Milliseconds for the whole exchange; 8,000. */
  readonly limit?: number
}

const largestBody = 4_194_304

/** Sends one request over a connection of its own; certificates are verified. */
export function send(url: string, { limit = 8_000, ...options }: SendOptions = {}): Promise<Answer> {
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    ...options,
    agent: false,
    signal: AbortSignal.timeout(limit),
  })
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    request.once('response', (response) => {
      const tls = (response.socket as Partial<TLSSocket>).getProtocol?.() ?? undefined
      let body = ''
      response.setEncoding('utf8')
      response.once('error', reject)
      response.on('data', (text: string) => {
        body += text
        if (body.length > largestBody) response.destroy(new Error('the answer is larger than 4 MiB'))
      })
      response.once('end', () => {
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        )
        resolve({ status: response.statusCode ?? 0, headers, body, tls })
      })
    })
    request.end()
  })
}
