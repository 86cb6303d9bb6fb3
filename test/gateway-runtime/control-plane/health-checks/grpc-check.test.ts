import { once } from 'node:events'
import { createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2'
import type { Server as NetServer } from 'node:net'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { GrpcCheck } from '../../../../gateway-runtime/src/config/snapshot.ts'
import { grpcCheck } from '../../../../gateway-runtime/src/control-plane/health-checks/grpc-check.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import {
  abortable,
  absentTarget,
  never,
  rawServer,
  startedServers,
  targetAt,
  untrustedCertificate,
} from './servers.ts'

const servers = startedServers()
const grpcServers: Server[] = []
const newFolder = temporaryFolders()
afterEach(async () => {
  for (const server of grpcServers.splice(0)) server.forceShutdown()
  await servers.stopAll()
})

const plain: GrpcCheck = { type: 'grpc', tls: false, tlsVerify: true, host: undefined, service: '' }
const asIs = (bytes: Buffer) => bytes
const healthService: ServiceDefinition = {
  check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}

/** A server of @grpc/grpc-js; `services`: the number of the status of each, by its name. */
async function grpcServer(services?: Record<string, number>) {
  const server = new Server()
  grpcServers.push(server)
  if (services) {
    server.addService(healthService, {
      check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        const known = services[call.request.subarray(2).toString()]
        if (known === undefined) return callback({ code: status.NOT_FOUND })
        callback(null, Buffer.from([8, known]))
      },
    })
  }
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return targetAt(port)
}

async function http2Server(answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer()
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    answer(stream)
  })
  return servers.start(server as unknown as NetServer)
}

describe('a gRPC server', () => {
  test('is well where it says SERVING, as a whole or for a service', async () => {
    const target = await grpcServer({ '': 1, orders: 1 })
    await grpcCheck(target, plain)(never())
    await grpcCheck(target, { ...plain, service: 'orders' })(never())
  })

  test('is not where it says anything else', async () => {
    const target = await grpcServer({ '': 2, orders: 0 })
    await expect(grpcCheck(target, plain)(never())).rejects.toThrow('health is NOT_SERVING')
    await expect(grpcCheck(target, { ...plain, service: 'orders' })(never())).rejects.toThrow('UNKNOWN')
    await expect(grpcCheck(target, { ...plain, service: 'other' })(never())).rejects.toThrow(
      'gRPC status 5 NOT_FOUND',
    )
  })

  test('without a health service is not', async () => {
    await expect(grpcCheck(await grpcServer(), plain)(never())).rejects.toThrow('gRPC status 12')
  })
})

describe('a target', () => {
  test('that speaks HTTP/2 but not gRPC is not well', async () => {
    const notFound = await http2Server((stream) => {
      stream.respond({ ':status': 404 })
      stream.end('no')
    })
    await expect(grpcCheck(notFound, plain)(never())).rejects.toThrow('status 404')
    const page = await http2Server((stream) => {
      stream.respond({ ':status': 200 })
      stream.end('hello')
    })
    await expect(grpcCheck(page, plain)(never())).rejects.toThrow('without a gRPC status')
  })

  test('that sends without end is not well', async () => {
    const endless = await http2Server((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      const more = (error?: Error | null) => !error && stream.write(Buffer.alloc(16_384), more)
      more()
    })
    await expect(grpcCheck(endless, plain)(never())).rejects.toThrow('over 65536 bytes')
  })

  test('that resets the call is not well', async () => {
    const target = await http2Server((stream) => stream.close(2))
    await expect(grpcCheck(target, plain)(never())).rejects.toThrow()
  })

  test('that speaks no HTTP/2, or is not there, is not well', async () => {
    const { server } = rawServer('HTTP/1.1 400 Bad Request\r\n\r\n')
    await expect(grpcCheck(await servers.start(server), plain)(never())).rejects.toThrow('HTTP/2 failed: ')
    await expect(grpcCheck(await absentTarget(), plain)(never())).rejects.toThrow('ECONNREFUSED')
  })
})

test('a check that is given up closes its connection', async () => {
  const { server, next } = rawServer(undefined)
  const target = await servers.start(server)
  const { signal, abort } = abortable()
  const connection = next()
  const check = grpcCheck(target, plain)(signal)
  const socket = await connection
  const closed = once(socket, 'close')
  abort()
  await expect(check).rejects.toThrow()
  await closed
})

test('over TLS, a certificate that is not trusted fails the check unless it need not be', async () => {
  const server = createSecureServer(await untrustedCertificate(await newFolder()))
  let name: unknown
  server.on('stream', (stream) => {
    name = (stream.session!.socket as { servername?: string }).servername
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]))
  })
  const target = await servers.start(server as unknown as NetServer)
  const overTls = { ...plain, tls: true, host: 'orders.internal' }
  await expect(grpcCheck(target, overTls)(never())).rejects.toThrow('certificate')
  await grpcCheck(target, { ...overTls, tlsVerify: false })(never())
  expect(name).toBe('orders.internal')
})
