import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A small HTTP server that plays a service behind the gateway. */
export interface Upstream {
  readonly port: number
  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string
  /** `127.0.0.1:PORT`, as targets are written. */
  readonly target: string
  /** Every request it was sent, in order; headers as they came. */
  readonly requests: readonly IncomingMessage[]
  /** How many connections were opened to it so far. */
  readonly connections: number
  /** Stops listening and breaks all connections. */
  stop(): Promise<void>
}

/** What `echo` answers. */
export interface Echo {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

/** Answers 200 with the request as JSON: method, url, headers, body. */
export const echo: RequestListener = (request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (text: string) => {
    body += text
  })
  request.on('end', () => {
    const { method, url, headers } = request
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, url, headers, body }))
  })
}

/** Takes the request and never answers. */
export const silence: RequestListener = () => {}

/**
 * Starts an upstream on a free port of 127.0.0.1.
 * @param handler - what answers; `echo` where it is left out
 * @param port - a certain port, to bring back one that was stopped
 */
export async function startUpstream(handler: RequestListener = echo, port = 0): Promise<Upstream> {
  const requests: IncomingMessage[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    target: `127.0.0.1:${address.port}`,
    requests,
    get connections() {
      return connections
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
