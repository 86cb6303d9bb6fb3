import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { credentials, Metadata, makeGenericClientConstructor } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  AdminService,
  ListEntitiesRequestSchema,
  ListEntitiesResponseSchema,
} from '../../../../gateway-runtime/src/control-plane/admin-api/grpc/generated/gatehouse/admin/v1/admin_pb.js'
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../../../gateway-runtime/src/control-plane/admin-api/grpc/generated/grpc/health/v1/health_pb.js'
import { ServerReflection } from '../../../../gateway-runtime/src/control-plane/admin-api/grpc/generated/grpc/reflection/v1/reflection_pb.js'
import { adminToken, callAdmin } from '../../../support/admin-client.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePorts } from '../../../support/ports.ts'

let gateway: TestGateway
let origin: string
let plainOrigin: string
let ca: string
const viewer = 'viewer-token-0123456789abcdef'

beforeAll(async () => {
  const [port, admin] = (await freePorts(2)) as [number, number]
  gateway = await startGateway({
    config: {
      admin: {
        port: admin,
        tls_host: '127.0.0.1',
        tls_port: port,
        max_body_bytes: 100_000,
        tokens: [{ name: 'reader', role: 'viewer', sha256: sha256(viewer) }],
      },
      services: [{ name: 'orders', url: 'http://127.0.0.1:9' }],
    },
  })
  plainOrigin = `http://127.0.0.1:${admin}`
  origin = `https://localhost:${port}`
  await eventually('the port', async () => (await gateway.errorLog()).includes('gateway started'))
  ca = readFileSync(join(gateway.stateDirectory, 'admin.crt'), 'utf8')
})
afterAll(() => gateway?.stop())

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const transport = (token = adminToken(gateway)) =>
  createGrpcTransport({
    baseUrl: origin,
    nodeOptions: { ca },
    interceptors: [
      (next) => (request) => {
        if (token !== '') request.header.set('authorization', `Bearer ${token}`)
        return next(request)
      },
    ],
  })
const admin = (token?: string) => createClient(AdminService, transport(token))

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error) => ConnectError.from(error).code,
  )

describe('the operations of REST', () => {
  test('add, change, list and take away entities', async () => {
    const client = admin()
    const added = await client.createEntity({
      collection: 'services/orders/routes',
      value: { name: 'first', paths: ['/first'] },
    })
    expect(added).toMatchObject({ created: true, value: { name: 'first', paths: ['/first'] } })
    const one = { collection: 'routes', id: 'first' }
    const found = await client.getEntity(one)
    const patched = await client.patchEntity({ ...one, value: { strip_path: false }, ifMatch: found.etag })
    expect(patched.value).toMatchObject({ strip_path: false })
    expect(await codeOf(client.patchEntity({ ...one, value: {}, ifMatch: found.etag }))).toBe(
      Code.FailedPrecondition,
    )
    await client.putEntity({
      collection: 'routes',
      id: 'second',
      value: { service: { name: 'orders' }, paths: ['/second'] },
    })
    const page = await client.listEntities({ collection: 'routes', size: 1 })
    const rest = await client.listEntities({ collection: 'routes', size: 1, offset: page.offset })
    expect(rest.offset).toBe('')
    expect([...page.data, ...rest.data].map(({ name }) => name).sort()).toEqual(['first', 'second'])
    expect((await callAdmin(`${plainOrigin}/routes`, { token: adminToken(gateway) })).body.data).toHaveLength(
      2,
    )
    await client.deleteEntity({ collection: 'routes', id: 'second' })
    expect(await codeOf(client.getEntity({ collection: 'routes', id: 'second' }))).toBe(Code.NotFound)
  })

  test('replace the whole configuration, or nothing of it', async () => {
    const client = admin()
    const { value = {}, etag } = await client.getConfiguration({})
    const wanted = {
      ...value,
      services: [...(value.services as object[]), { name: 'more', url: 'http://127.0.0.1:7' }],
    } as typeof value
    const planned = await client.applyConfiguration({ value: wanted, dryRun: true })
    expect(planned.result).toMatchObject({ dry_run: true, changes: [{ entity: 'services/more' }] })
    await client.applyConfiguration({ value: wanted, ifMatch: etag })
    expect(await codeOf(client.applyConfiguration({ value: wanted, ifMatch: etag }))).toBe(
      Code.FailedPrecondition,
    )
    expect(await client.applyConfiguration({ value: wanted, checkHash: true })).toMatchObject({
      unchanged: true,
    })
    expect(await codeOf(client.applyConfiguration({ value: { ...wanted, nonsense: 1 } }))).toBe(
      Code.InvalidArgument,
    )
    const history = (await client.listHistory({})).value!.data as { id: number }[]
    await client.rollBack({ id: history[1]!.id })
    expect(await codeOf(client.getEntity({ collection: 'services', id: 'more' }))).toBe(Code.NotFound)
  })

  test('tell status, schemas and routes', async () => {
    const client = admin()
    expect((await client.getStatus({})).value).toMatchObject({ ready: true })
    expect((await client.getSchema({ name: 'plugins/rate-limiting' })).value).toHaveProperty('fields')
    const explained = await client.explainRoute({ method: 'GET', url: 'http://h/nowhere' })
    expect(explained.value).toBeDefined()
    const problem = client.validateEntity({ collection: 'routes', value: { name: 'no destination' } })
    expect(await codeOf(problem)).toBe(Code.InvalidArgument)
  })
})

describe('refuses', () => {
  test('who is unknown, and who may not', async () => {
    expect(await codeOf(admin('').getStatus({}))).toBe(Code.Unauthenticated)
    expect(await codeOf(admin('wrong').getStatus({}))).toBe(Code.Unauthenticated)
    expect((await admin(viewer).getStatus({})).value).toHaveProperty('ready')
    expect(await codeOf(admin(viewer).deleteEntity({ collection: 'services', id: 'orders' }))).toBe(
      Code.PermissionDenied,
    )
    expect(await codeOf(admin(viewer).applyConfiguration({ value: {} }))).toBe(Code.PermissionDenied)
  })

  test('paths within the names of collections, and messages that are too large', async () => {
    for (const collection of ['../config', 'services/..', 'config?dry_run=1', '', 'a/b/c/d'])
      expect(await codeOf(admin().createEntity({ collection, value: {} }))).toBe(Code.InvalidArgument)
    const large = { name: 'x'.repeat(200_000) }
    expect(await codeOf(admin().createEntity({ collection: 'services', value: large }))).toBe(
      Code.ResourceExhausted,
    )
  })

  test('a page of another site', async () => {
    const client = createClient(
      AdminService,
      createConnectTransport({
        baseUrl: origin,
        httpVersion: '2',
        nodeOptions: { ca },
        interceptors: [
          (next) => (request) => {
            request.header.set('authorization', `Bearer ${adminToken(gateway)}`)
            request.header.set('origin', 'https://evil.example')
            return next(request)
          },
        ],
      }),
    )
    expect(await codeOf(client.getStatus({}))).toBe(Code.PermissionDenied)
  })
})

test('health and its changes need no token', async () => {
  const client = createClient(Health, transport(''))
  expect((await client.check({})).status).toBe(Status.SERVING)
  expect((await client.check({ service: AdminService.typeName })).status).toBe(Status.SERVING)
  expect(await codeOf(client.check({ service: 'other' }))).toBe(Code.NotFound)
  const watched = client.watch({})[Symbol.asyncIterator]()
  expect((await watched.next()).value?.status).toBe(Status.SERVING)
  await watched.return?.()
})

test('reflection tells services and the files that describe them', async () => {
  const client = createClient(ServerReflection, transport())
  async function* ask() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } }
    yield {
      messageRequest: { case: 'fileContainingSymbol' as const, value: `${AdminService.typeName}.Drain` },
    }
    yield { messageRequest: { case: 'fileByFilename' as const, value: 'google/protobuf/struct.proto' } }
    yield { messageRequest: { case: 'fileContainingSymbol' as const, value: 'no.such.Thing' } }
  }
  const answers = []
  for await (const { messageResponse } of client.serverReflectionInfo(ask())) answers.push(messageResponse)
  const names = (answers[0]!.value as { service: { name: string }[] }).service.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining([AdminService.typeName, 'grpc.health.v1.Health']))
  const { fileDescriptorProto } = answers[1]!.value as { fileDescriptorProto: Uint8Array[] }
  const described = fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name)
  expect(described).toEqual(['google/protobuf/struct.proto', 'gatehouse/admin/v1/admin.proto'])
  expect(answers[2]!.case).toBe('fileDescriptorResponse')
  expect(answers[3]!.case).toBe('errorResponse')
})

test('another implementation of gRPC is understood', async () => {
  const Client = makeGenericClientConstructor(
    {
      listEntities: {
        path: `/${AdminService.typeName}/ListEntities`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (request) => Buffer.from(toBinary(ListEntitiesRequestSchema, request)),
        requestDeserialize: (bytes) => fromBinary(ListEntitiesRequestSchema, bytes),
        responseSerialize: (response) => Buffer.from(toBinary(ListEntitiesResponseSchema, response)),
        responseDeserialize: (bytes) => fromBinary(ListEntitiesResponseSchema, bytes),
      },
    },
    'AdminService',
  )
  const client = new Client(new URL(origin).host, credentials.createSsl(Buffer.from(ca)))
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${adminToken(gateway)}`)
  const page = await new Promise<{ data: object[] }>((resolve, reject) => {
    const request = create(ListEntitiesRequestSchema, { collection: 'services' })
    const call = client.listEntities as (...args: unknown[]) => void
    call.call(client, request, metadata, (error: unknown, answer: { data: object[] }) =>
      error ? reject(error) : resolve(answer),
    )
  })
  client.close()
  expect(page.data).toMatchObject([{ name: 'orders' }])
})

test('REST is on the same port, over HTTP/1.1 and HTTP/2', async () => {
  const old = await callAdmin(`${origin}/services`, { token: adminToken(gateway), tls: { ca } })
  expect(old.body.data).toHaveLength(1)
  const session = connectHttp2(origin, { ca })
  const stream = session.request({ ':path': '/services', authorization: `Bearer ${adminToken(gateway)}` })
  const [headers] = await once(stream, 'response')
  const text = Buffer.concat(await stream.toArray()).toString()
  session.close()
  expect(headers[':status']).toBe(200)
  expect(JSON.parse(text).data).toHaveLength(1)
})
