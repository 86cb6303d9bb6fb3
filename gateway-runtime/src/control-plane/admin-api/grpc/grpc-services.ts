import { Code, ConnectError, type ConnectRouter, createContextValues } from '@connectrpc/connect'
import { fastifyConnectPlugin } from '@connectrpc/connect-fastify'
import type { FastifyInstance } from 'fastify'
import { RestCalls } from '../rest-calls.ts'
import { adminService } from './admin-service.ts'
import { AdminService } from './generated/gatehouse/admin/v1/admin_pb.js'
import { addHealthService } from './health-service.ts'
import { principalKey } from './principal-key.ts'
import { addReflection } from './reflection.ts'

export interface GrpcOptions {
  /** Whether the node takes requests. */
  readonly isReady: () => boolean
  /** Bytes of a message. */
  readonly readMaxBytes: number
}

/** Adds what the admin API says over gRPC (and Connect) to that over REST: same port, same rights, same operations. */
export async function addGrpcServices(api: FastifyInstance, options: GrpcOptions): Promise<void> {
  await api.register(fastifyConnectPlugin, {
    readMaxBytes: options.readMaxBytes,
    contextValues: (request) => createContextValues().set(principalKey, request.principal),
    shutdownTimeoutMs: 0,
    shutdownError: new ConnectError('the gateway stops', Code.Unavailable),
    routes(router: ConnectRouter) {
      router.service(AdminService, adminService(new RestCalls(api)))
      addHealthService(router, options.isReady)
      addReflection(router)
    },
  })
}
