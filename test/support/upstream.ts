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
  /** How many connections were opened to it so far, and how many are open now. */
  readonly connections: number
  readonly openConnections: number
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
 * Starts an upstream on a free port of 127.0.0.1, or of another loopback address.
 * @param handler - what answers; `echo` where it is left out
 * @param port - a certain port, to bring back one that was stopped
 */
export async function startUpstream(
  handler: RequestListener = echo,
  port = 0,
  host = '127.0.0.1',
): Promise<Upstream> {
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
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const target = `${host.includes(':') ? `[${host}]` : host}:${address.port}`

  return {
    port: address.port,
    url: `http://${target}`,
    target,
    requests,
    get connections() {
      return connections
    },
    get openConnections() {
      return sockets.size
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
