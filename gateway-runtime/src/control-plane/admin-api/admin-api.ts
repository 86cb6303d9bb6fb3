import type { TLSSocket, TlsOptions } from 'node:tls'
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import { type AdminRole, type Collection, entitySchemas } from '../../config/index.ts'
import type { ErrorLog } from '../../telemetry/error-log.ts'
import type { CertificateAdministration } from '../certificates/certificate-administration.ts'
import type { ConfigurationStore } from '../configuration-store.ts'
import type { EntityTimes } from '../entity-times.ts'
import type { History } from '../history.ts'
import type { AskedTrace } from '../request-traces.ts'
import { authenticate, type Call, checkSite, type Principal, requireRole } from './access.ts'
import { addCacheResources } from './cache-resources.ts'
import { addCertificateResources } from './certificate-resources.ts'
import { addConfigurationResources } from './configuration-resources.ts'
import { addEntityResources } from './entity-resources.ts'
import { nested } from './nesting.ts'
import { addNodeResources } from './node-resources.ts'
import { addPartResources } from './part-resources.ts'
import { partKinds } from './parts.ts'
import { problemOf, RequestRefused } from './problem.ts'
import { callerWithin } from './rest-calls.ts'
import { addSchemaResources } from './schema-resources.ts'
import { addTagResources } from './tag-resources.ts'

export interface AdminApiOptions {
  readonly store: ConfigurationStore
  readonly times: EntityTimes
  readonly history: History
  /** That of the state folder: its bearer may do all. */
  readonly token: string
  /** Speaks TLS, with these settings. */
  readonly tls?: TlsOptions
  /** Sends a request through the gateway and tells how long each step of it took. */
  readonly trace: (asked: AskedTrace) => Promise<object>
  /** Whether the node takes requests. */
  readonly isReady: () => boolean
  /** What GET /status answers. */
  readonly status: () => object
  /** Takes no more requests, and tells how many workers have some in flight yet. */
  readonly drain: () => object
  /** Certificates that the gateway orders and keeps itself. */
  readonly certificates: () => Promise<CertificateAdministration>
  /** Has the services of a plugin, one a configuration, do something. */
  readonly commandPlugins: (plugin: string, command: unknown) => Promise<unknown[]>
  readonly log: ErrorLog['write']
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls. */
    principal: Principal
  }
  interface FastifyContextConfig {
    /** What a caller must be at least: viewer for GET, operator for all else, where it is left out. */
    role?: AdminRole
  }
}

const bodyLimit = 1_048_576
export const longestId = 512

/**
 * The admin API, by the conventions of Kong's, so that its clients find what they know: collections such as `services`,
 * entities by id or name (plugins by id, or `pluginId` with its slash as %2F), lists as `{data, next}` with `size`,
 * `offset` and `tags`, collections within others, schemas. Errors are application/problem+json with a stable `code`.
 * Not listening yet.
 */
export async function createAdminApi(options: AdminApiOptions): Promise<FastifyInstance> {
  const settings: FastifyServerOptions = {
    bodyLimit,
    routerOptions: { maxParamLength: longestId },
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error),
  }
  const api = (options.tls
    ? fastify({ ...settings, http2: true, https: { ...options.tls, allowHTTP1: true } } as object)
    : fastify(settings)) as unknown as FastifyInstance
  api.server.maxConnections = 128
  api.removeContentTypeParser('text/plain')
  api.decorateRequest('principal')
  api.setErrorHandler((error: Error, request, reply) => {
    report(options, error, request)
    return isGrpc(request) ? sendGrpcStatus(reply, error) : sendProblem(reply, error)
  })
  api.setNotFoundHandler(() => {
    const collections = Object.keys(entitySchemas).map((name) => `/${name}`)
    throw new RequestRefused(404, 'not-found', `no such resource; there are ${collections.join(', ')}`)
  })
  api.addHook('onRequest', async (request, reply) => {
    const within = callerWithin()
    const { role } = request.routeOptions.config
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (within) {
      request.principal = within
      return requireRole(within, role ?? (isRead ? 'viewer' : 'operator'))
    }
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const { admin } = options.store.current.loaded.configuration
    const call = callOf(request, options.tls !== undefined)
    checkSite(call, admin)
    if (request.url.startsWith(healthService)) return
    request.principal = authenticate(call, admin, options.token)
    // What is called over gRPC is called within: there, each operation has its own role.
    requireRole(request.principal, role ?? (isRead || isGrpcCall(request) ? 'viewer' : 'operator'))
  })
  addNodeResources(api, options)
  addCacheResources(api, options)
  addConfigurationResources(api, options)
  addCertificateResources(api, options.certificates)
  addSchemaResources(api, options)
  addTagResources(api, options)
  for (const collection of Object.keys(entitySchemas)) {
    addEntityResources(api, options, collection as Collection)
  }
  for (const [collection, nesting] of nested) addEntityResources(api, options, collection, nesting)
  for (const kind of partKinds) addPartResources(api, options, kind)
  if (options.tls) {
    // Loaded only where it is used: it is large.
    const { addGrpcServices } = await import('./grpc/grpc-services.ts')
    const { max_body_bytes } = options.store.current.loaded.configuration.admin
    await addGrpcServices(api, { isReady: options.isReady, readMaxBytes: max_body_bytes })
  }
  return api
}

const healthService = '/grpc.health.v1.Health/'

/** POST /package.Service/Method: no path of REST has a dot in its first part. */
const isGrpcCall = ({ url }: FastifyRequest): boolean => /^\/(gatehouse|grpc)\.[\w.]+\/\w+$/.test(url)

const isGrpc = ({ headers }: FastifyRequest) =>
  headers['content-type']?.startsWith('application/grpc') === true

/** HTTP/2 has the host in a pseudo-header. */
const callOf = (request: FastifyRequest, isTls: boolean): Call => ({
  headers: { ...request.headers, host: request.headers.host ?? String(request.headers[':authority'] ?? '') },
  peer: request.ip,
  tls: isTls ? (request.socket as TLSSocket) : undefined,
})

function report({ log }: AdminApiOptions, error: Error, request: FastifyRequest): void {
  const { status } = problemOf(error)
  const path = request.url.slice(0, longestId)
  const fields = { peer: request.ip, caller: request.principal?.name, method: request.method, path }
  if (status === 500)
    log('error', 'admin request failed', { ...fields, reason: error.stack ?? error.message })
  else if (status !== 404) log('warn', 'admin request refused', { ...fields, status, reason: error.message })
}

/** Before a call has begun: all of the answer is its status. */
function sendGrpcStatus(reply: FastifyReply, error: Error): FastifyReply {
  const { status, detail } = problemOf(error)
  const code = { 401: 16, 403: 7 }[status] ?? 13
  return reply
    .code(200)
    .headers({ 'content-type': 'application/grpc', 'grpc-status': code })
    .header('grpc-message', (detail ?? '').replace(/[^\x20-\x24\x26-\x7e]/g, encodeURIComponent))
    .send()
}

function sendProblem(reply: FastifyReply, error: Error): FastifyReply {
  const answer = problemOf(error)
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="gatehouse"')
  return reply.code(answer.status).type('application/problem+json').send(answer)
}
