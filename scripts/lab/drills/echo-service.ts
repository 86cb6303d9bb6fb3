import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** How the service takes a request: answers, after a while, never, or resets the connection. */
export type Behaviour = 'answer' | 'hang' | 'reset' | { readonly delay: number }

/** The service behind the gateways of a lab: says the id of the request that it was asked with, and who asked. */
export interface EchoService {
  readonly url: string
  /** `address:port`. */
  readonly target: string
  /** Requests that it took so far. */
  readonly asked: number
  behave(behaviour: Behaviour): void
  /** Takes no more connections, and closes those there are. May be called again. */
  stop(): Promise<void>
  /** Listens again, at the same place. */
  comeBack(): Promise<void>
}

export interface EchoOptions {
  /** Told of each request as it comes: its path without the query. */
  readonly onRequest?: (path: string) => void
}

/**
 * Answers are JSON with `id` and `node`, filled up to as many bytes as `?bytes=` says.
 * @param host - address of this machine that hosts of the lab reach
 */
export async function startEchoService(
  host: string,
  { onRequest = () => {} }: EchoOptions = {},
): Promise<EchoService> {
  let behaviour: Behaviour = 'answer'
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    onRequest(request.url!.split('?')[0]!)
    if (behaviour === 'answer') answer(request, response)
    else if (behaviour === 'reset') (request.socket as Socket).resetAndDestroy()
    else if (behaviour !== 'hang') setTimeout(() => answer(request, response), behaviour.delay).unref()
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const target = `${host}:${port}`
  return {
    url: `http://${target}`,
    target,
    get asked() {
      return asked
    },
    behave(next) {
      behaviour = next
    },
    async stop() {
      server.closeAllConnections()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
    async comeBack() {
      server.listen(port, host)
      await once(server, 'listening')
    },
  }
}

function answer({ headers, socket, url = '' }: IncomingMessage, response: ServerResponse): void {
  const node = socket.remoteAddress?.replace('::ffff:', '')
  const text = JSON.stringify({ id: headers['x-id'], node })
  const bytes = Math.min(Number(new URL(url, 'http://x').searchParams.get('bytes') ?? 0), 65_536)
  response.setHeader('content-type', 'application/json').end(text.padEnd(bytes))
}
