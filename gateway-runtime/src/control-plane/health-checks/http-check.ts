import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { HttpCheck, Target } from '../../config/snapshot.ts'
import { version } from '../../version.ts'
import { authorityOf, type Check, CheckFailure, mostAnswerBytes, tlsSettings } from './check.ts'

// A connection of its own for each check: one that is kept would not show that no new one can be made.
const httpAgent = new HttpAgent({ keepAlive: false })
const httpsAgent = new HttpsAgent({ keepAlive: false, maxCachedSessions: 0 })
const mostInterimAnswers = 8

/** Whether a GET is answered, in full, with one of the expected statuses. A redirect is an answer like others. */
export function httpCheck(target: Target, check: HttpCheck): Check {
  const { path, tls, host, expectedStatuses } = check
  const options = {
    host: target.host,
    port: target.port,
    path,
    headers: { host: host ?? authorityOf(target), 'user-agent': `gatehouse/${version}` },
  }
  const open = (signal: AbortSignal): ClientRequest =>
    tls
      ? requestHttps({ ...options, ...tlsSettings(target, check), agent: httpsAgent, signal })
      : requestHttp({ ...options, agent: httpAgent, signal })
  const isExpected = (status: number) =>
    expectedStatuses.some(({ from, to }) => status >= from && status <= to)
  return async (signal) => {
    const status = await statusOf(open(signal))
    if (!isExpected(status)) throw new CheckFailure(`status ${status}`)
  }
}

function statusOf(request: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => void request.destroy(new CheckFailure(reason))
    let interim = 0
    request.on('information', () => {
      if (++interim > mostInterimAnswers) fail('too many interim answers')
    })
    request.on('upgrade', (_, socket) => {
      socket.destroy()
      fail('switched protocols unasked')
    })
    request.on('response', (response) => {
      readToEnd(response, () => {
        resolve(response.statusCode!)
        request.destroy()
      })
      response.on('error', reject)
    })
    request.on('error', reject)
    request.on('close', () =>
      reject(new CheckFailure('the connection was closed before the answer was complete')),
    )
    request.end()
  })
}

/** `onEnd`: the answer is complete, or longer than anybody needs to read. */
function readToEnd(response: IncomingMessage, onEnd: () => void): void {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > mostAnswerBytes) onEnd()
  })
  response.on('end', onEnd)
}
