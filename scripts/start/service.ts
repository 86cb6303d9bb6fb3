import { createServer, type RequestListener, type Server } from 'node:http'

/** A small HTTP service of this process. */
export interface RunningService {
  readonly port: number
  /** How many requests it was sent. */
  readonly requests: number
  stop(): Promise<void>
}

/** Answers every request with what it saw, as JSON: the service's name, method, path and headers. */
export const echoAs =
  (service: string): RequestListener =>
  (request, response) => {
    const { method, url: path, headers } = request
    request.resume()
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify({ service, method, path, headers }, null, 2)}\n`)
  }

/**
 * Starts a service on a port of 127.0.0.1; 0 takes a free one.
 * @param answer - without it the service is silent: it takes requests and never answers
 */
export async function startService(port: number, answer?: RequestListener): Promise<RunningService> {
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    answer?.(request, response)
  })
  await listen(server, port)
  return {
    port: (server.address() as { port: number }).port,
    get requests() {
      return requests
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const listen = (server: Server, port: number) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
