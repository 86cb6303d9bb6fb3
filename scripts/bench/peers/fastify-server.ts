import { randomUUID } from 'node:crypto'
import fastifyHttpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { routePrefixes } from '../scenarios.ts'
import { keepAliveTimeout, readSettings, tlsOptions } from './node-settings.ts'

const settings = readSettings()
// Plain `object`: to the types of Fastify a server is another for each transport, to this file they are one.
const transport: object =
  settings.protocol === 'http'
    ? {}
    : { https: { ...tlsOptions(settings), allowHTTP1: true }, http2: settings.protocol === 'h2' || undefined }

const server = Fastify({
  logger: { file: settings.accessLog },
  genReqId: () => randomUUID(),
  keepAliveTimeout,
  bodyLimit: 104_857_600,
  ...transport,
})
server.addHook('onRequest', async (request, reply) => {
  reply.header('x-request-id', request.id)
})
await server.register(fastifyHttpProxy, {
  upstream: settings.upstream,
  routes: routePrefixes(settings).map((prefix) => `${prefix}*`),
  undici: { connections: 256, pipelining: 1 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      'x-request-id': request.id,
      'x-forwarded-for': request.ip,
    }),
    // They are about the connection to the upstream, and Fastify would tell them to the client.
    rewriteHeaders: ({ connection: _, 'keep-alive': __, ...headers }) => headers,
  },
})
await server.listen({ host: '127.0.0.1', port: settings.port, backlog: 4_096 })
