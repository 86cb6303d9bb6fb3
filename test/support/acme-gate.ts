import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
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
  /** At the next request of a step, before the authority gets it or before its answer is passed on: calls and cuts. */
  holdAt(step: AcmeStep, when: 'before' | 'after', onHold: () => Promise<void>): void
  /** Whether every request is cut off, as of an authority that is out. */
  isOut: boolean
  /** Requests that were cut off so. */
  readonly refused: number
  stop(): Promise<void>
}

/** Stands in front of an authority and counts, or cuts, what goes by. */
export async function startAcmeGate(pebble: Pebble): Promise<AcmeGate> {
  const orders = new Map<string, number>()
  let hold: { step: AcmeStep; when: 'before' | 'after'; onHold: () => Promise<void> } | undefined
  const { hostname, port } = new URL(pebble.directory)
  const ca = await readFile(pebble.ca)
  const [cert, key] = await Promise.all([readFile(pebble.tls.certificate), readFile(pebble.tls.key)])
  let [isOut, refused] = [false, 0]
  const isHeld = (request: IncomingMessage, when: 'before' | 'after') =>
    hold?.when === when && request.method === 'POST' && request.url!.startsWith(steps[hold.step])
  const server = createServer({ cert, key }, (request, response) => {
    if (isOut) {
      refused++
      request.socket.destroy()
      return
    }
    void (async () => {
      const body = await text(request)
      const cut = async () => {
        const { onHold } = hold!
        hold = undefined
        await onHold()
        request.socket.destroy()
      }
      if (isHeld(request, 'before')) return cut()
      const { method, url, headers } = request
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const options = { hostname, port, ca, method, path: url, headers }
        sendRequest(options, resolve).once('error', reject).end(body)
      })
      const answered = await text(answer)
      if (method === 'POST' && url === steps.newOrder && answer.statusCode === 201) {
        const { identifiers } = JSON.parse(answered) as { identifiers: { value: string }[] }
        for (const { value } of identifiers) orders.set(value, (orders.get(value) ?? 0) + 1)
      }
      const isDone = answer.statusCode! < 300
      if (isDone && isHeld(request, 'after')) return cut()
      response.writeHead(answer.statusCode!, answer.headers).end(method === 'HEAD' ? undefined : answered)
    })().catch(() => request.socket.destroy())
  })
  const own = await listenOnFreePort(server)
  return {
    directory: `https://localhost:${own}/dir`,
    orders,
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
