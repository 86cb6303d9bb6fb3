import { createServer, type Server } from 'node:http'

export interface StatusSource {
  /**
   * Whether the node takes requests; where not, why. `missing`: domains that have no certificate yet. A node is ready
   * without them, because authorities ask it over HTTP before they issue one.
   */
  readiness(): { readonly ready: boolean; readonly reason: string; readonly missing: readonly string[] }
  metrics(): string
}

/** Answers monitoring and load balancers: /metrics, /healthz (the process lives), /readyz (send it requests). */
export function createStatusServer(source: StatusSource): Server {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    const send = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : body)
    }
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'GET only\n')
    if (path === '/metrics') return send(200, 'text/plain; version=0.0.4; charset=utf-8', source.metrics())
    if (path === '/healthz') return send(200, 'text/plain', 'ok\n')
    if (path === '/readyz') {
      const { ready, reason, missing } = source.readiness()
      const certificates = missing.map((domain) => `no certificate yet: ${domain}\n`).join('')
      return send(ready ? 200 : 503, 'text/plain', `${ready ? 'ready' : reason}\n${certificates}`)
    }
    return send(404, 'text/plain', 'here are /metrics, /healthz and /readyz\n')
  })
  server.maxConnections = 256
  return server
}
