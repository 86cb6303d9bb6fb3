import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request as sendRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Pebble } from './pebble.ts'
import { listenOnFreePort } from './ports.ts'

/** The requests of an order, by what their paths begin with. */
const steps = {
  account: '/sign-me-up',
  newOrder: '/order-plz',
  order: '/my-order/',
  authorization: '/authZ/',
  challenge: '/chalZ/',
  finalize: '/finalize-order/',
  certificate: '/certZ/',
} as const
export type AcmeStep = keyof typeof steps
export const acmeSteps = Object.keys(steps) as AcmeStep[]

export interface AcmeGate {
  /** URL of the authority's directory, by way of the gate. */
  readonly directory: string
  /** Domain → orders that the authority has taken, also where its answer was never passed on. */
  readonly orders: ReadonlyMap<string, number>
  /** What orders were asked for with: name of a profile, the certificate that is replaced; in their order. */
  readonly requested: readonly { readonly profile?: string; readonly replaces?: string }[]
  /**
   * Has the authority say when to renew (RFC 9773), which the one behind the gate does not: milliseconds since 1970 for
   * each certificate, by what it is called.
   */
  suggest(windowOf: (certificate: string) => { readonly start: number; readonly end: number }): void
  /** At the next request of a step, before the authority gets it or before its answer is passed on: calls and cuts. */
  holdAt(step: AcmeStep, when: 'before' | 'after', onHold: () => Promise<void>): void
  /** Whether every request is cut off, as of an authority that is out. */
  isOut: boolean
  /** Requests that were cut off so. */
  readonly refused: number
  stop(): Promise<void>
}

const renewalInfo = '/renewal-info'

/** What a request says, without its signature (RFC 7515 section 7.2.2). */
const payloadOf = (body: string) => JSON.parse(Buffer.from(JSON.parse(body).payload, 'base64url').toString())

/** Stands in front of an authority and counts, or cuts, what goes by. */
export async function startAcmeGate(pebble: Pebble): Promise<AcmeGate> {
  const orders = new Map<string, number>()
  const requested: AcmeGate['requested'][number][] = []
  let windowOf: Parameters<AcmeGate['suggest']>[0] | undefined
  let hold: { step: AcmeStep; when: 'before' | 'after'; onHold: () => Promise<void> } | undefined
  const { hostname, port } = new URL(pebble.directory)
  const ca = await readFile(pebble.ca)
  const [cert, key] = await Promise.all([readFile(pebble.tls.certificate), readFile(pebble.tls.key)])
  let [isOut, refused] = [false, 0]
  const isHeld = (request: IncomingMessage, when: 'before' | 'after') =>
    hold?.when === when && request.method === 'POST' && request.url!.startsWith(steps[hold.step])
  const pass = ({ method, url: path, headers }: IncomingMessage, body: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { hostname, port, ca, method, path, headers }
      sendRequest(options, resolve).once('error', reject).end(body)
    })
  const note = (body: string, answered: string) => {
    requested.push(payloadOf(body))
    const { identifiers } = JSON.parse(answered) as { identifiers: { value: string }[] }
    for (const { value } of identifiers) orders.set(value, (orders.get(value) ?? 0) + 1)
  }
  const cut = async ({ socket }: IncomingMessage) => {
    const { onHold } = hold!
    hold = undefined
    await onHold()
    socket.destroy()
  }
  const answerRenewalInfo = (certificate: string, response: ServerResponse) => {
    const { start, end } = windowOf!(certificate)
    const suggestedWindow = { start: new Date(start), end: new Date(end) }
    response.writeHead(200, { 'content-type': 'application/json', 'retry-after': '21600' })
    response.end(JSON.stringify({ suggestedWindow }))
  }
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { method, url } = request as { method: string; url: string }
    const body = await text(request)
    if (isHeld(request, 'before')) return cut(request)
    if (windowOf && url.startsWith(`${renewalInfo}/`))
      return answerRenewalInfo(url.slice(renewalInfo.length + 1), response)
    const answer = await pass(request, body)
    const { statusCode, headers } = answer as { statusCode: number; headers: IncomingHttpHeaders }
    let answered = await text(answer)
    if (method === 'POST' && url === steps.newOrder && statusCode === 201) note(body, answered)
    if (statusCode < 300 && isHeld(request, 'after')) return cut(request)
    if (windowOf && method === 'GET' && url === '/dir') {
      const directory = { ...JSON.parse(answered), renewalInfo: `https://localhost:${own}${renewalInfo}` }
      answered = JSON.stringify(directory)
      headers['content-length'] = String(Buffer.byteLength(answered))
    }
    response.writeHead(statusCode, headers).end(method === 'HEAD' ? undefined : answered)
  }
  const server = createServer({ cert, key }, (request, response) => {
    if (isOut) {
      refused++
      request.socket.destroy()
    } else void serve(request, response).catch(() => request.socket.destroy())
  })
  const own = await listenOnFreePort(server)
  return {
    directory: `https://localhost:${own}/dir`,
    orders,
    requested,
    suggest: (windows) => {
      windowOf = windows
    },
    holdAt: (step, when, onHold) => {
      hold = { step, when, onHold }
    },
    get isOut() {
      return isOut
    },
    set isOut(out) {
      isOut = out
    },
    get refused() {
      return refused
    },
    stop: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
