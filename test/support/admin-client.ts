import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import type { TestGateway } from './gateway.ts'

export interface AdminAnswer {
  readonly status: number
  readonly type: string | undefined
  readonly headers: IncomingHttpHeaders
  /** Parsed, where it is JSON; undefined where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests find out
  readonly body: any
}

export interface AdminCall {
  readonly method?: string
  readonly body?: unknown
  /** As given: fetch would not let a test set Host or Origin. */
  readonly headers?: Readonly<Record<string, string>>
  /** In place of the token of the state folder; '' for none. */
  readonly token?: string
  readonly tls?: RequestOptions
}

/** The token that a gateway has made at its first start. */
export const adminToken = (gateway: TestGateway): string =>
  readFileSync(join(gateway.stateDirectory, 'admin-token'), 'utf8').trim()

/** Sends a request to an admin API. */
export function callAdmin(url: string, call: AdminCall): Promise<AdminAnswer> {
  const { method = 'GET', body, headers = {}, token = '', tls } = call
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      headers: {
        ...(token !== '' && { authorization: `Bearer ${token}` }),
        ...(text !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...tls,
    })
    request.on('error', reject)
    request.on('response', async (response) => {
      const answer = Buffer.concat(await response.toArray()).toString()
      const type = response.headers['content-type']
      const isJson = /json/.test(type ?? '') && answer !== ''
      const parsed = isJson ? JSON.parse(answer) : answer || undefined
      resolve({ status: response.statusCode!, type, headers: response.headers, body: parsed })
    })
    request.end(text)
  })
}
