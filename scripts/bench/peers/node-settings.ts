import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { CertificateFiles } from '../../start/development-certificates.ts'
import type { Scenario } from '../scenarios.ts'

/** What the server files are told, as JSON in their first argument. */
export interface NodeProxySettings {
  readonly port: number
  readonly upstream: string
  readonly accessLog: string
  readonly protocol: Scenario['protocol']
  readonly certificate: CertificateFiles
  readonly routes: number
}

/** How long a connection of a client is kept without a request, in milliseconds. */
export const keepAliveTimeout = 600_000

/** The settings of this process. */
export const readSettings = () => JSON.parse(process.argv[2] ?? '') as NodeProxySettings

/** Certificate and key for the servers of Node.js; TLS 1.3 only. */
export const tlsOptions = ({ certificate }: NodeProxySettings) => ({
  cert: readFileSync(certificate.certificate),
  key: readFileSync(certificate.key),
  minVersion: 'TLSv1.3' as const,
})

/** Connections to the upstream, kept as the other proxies keep them. */
export const upstreamAgent = () => new Agent({ keepAlive: true, maxFreeSockets: 256 })

/** Listens with node:http or node:https; each request has an id, which the answer has, too. */
export function serve(settings: NodeProxySettings, listener: RequestListener): void {
  const withId: RequestListener = (request, response) => {
    const id = randomUUID()
    request.headers['x-request-id'] = id
    response.setHeader('x-request-id', id)
    listener(request, response)
  }
  const options = { keepAliveTimeout, requestTimeout: 0 }
  const server =
    settings.protocol === 'http'
      ? createServer(options, withId)
      : createSecureServer({ ...options, ...tlsOptions(settings) }, withId)
  server.listen({ host: '127.0.0.1', port: settings.port, backlog: 4_096 })
}
