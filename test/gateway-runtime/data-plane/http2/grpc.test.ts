import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'

const asIs = (bytes: Buffer) => bytes
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})
const echoService: ServiceDefinition = {
  unary: method('Unary', false, false),
  chat: method('Chat', true, true),
  fail: method('Fail', false, false),
  hang: method('Hang', false, false),
}

type Unary = (
  request: Buffer,
  metadata: Metadata,
  options: object,
  callback: (error: ServiceError | null, answer?: Buffer) => void,
) => NodeJS.EventEmitter

let server: Server
let gateway: TestGateway
let client: Client
let seen: Metadata | undefined
let cancelled: () => void = () => {}

beforeAll(async () => {
  server = new Server()
  server.addService(echoService, {
    unary: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      seen = call.metadata
      const trailer = new Metadata()
      trailer.set('x-trailer', 'at-the-end')
      callback(null, call.request, trailer)
    },
    chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (message: Buffer) => call.write(message))
      call.on('end', () => call.end())
    },
    fail: (_: unknown, callback: sendUnaryData<Buffer>) =>
      callback({ code: status.ALREADY_EXISTS, details: 'there is one' }),
    hang: (call: ServerUnaryCall<Buffer, Buffer>) => void call.on('cancelled', () => cancelled()),
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const http = await freePort()
  gateway = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port: http, protocol: 'http', http2: true }],
      services: [
        { name: 'echo', url: `grpc://127.0.0.1:${port}` },
        { name: 'gone', url: 'grpc://127.0.0.1:9', retries: 0 },
      ],
      routes: [
        { name: 'echo', service: 'echo', paths: ['/test.Echo'], strip_path: false },
        { name: 'gone', service: 'gone', paths: ['/test.Gone'], strip_path: false },
      ],
    },
  })
  const Echo = makeGenericClientConstructor(
    {
      ...echoService,
      gone: { ...method('X', false, false), path: '/test.Gone/X' },
      none: { ...method('X', false, false), path: '/test.None/X' },
    },
    'Echo',
  )
  client = new Echo(`127.0.0.1:${http}`, credentials.createInsecure())
})

afterAll(async () => {
  client?.close()
  server?.forceShutdown()
  await gateway?.stop()
})

const methods = () => client as unknown as Record<string, Unary>

function call(name: string, request = Buffer.from('hello'), options: object = {}) {
  const metadata = new Metadata()
  metadata.set('x-own', 'value')
  return new Promise<{ error: ServiceError | null; answer: Buffer | undefined; trailers?: Metadata }>(
    (resolve) => {
      let answered: { error: ServiceError | null; answer: Buffer | undefined }
      const running = methods()[name]!.call(client, request, metadata, options, (error, answer) => {
        answered = { error, answer }
      })
      running.on('status', ({ metadata: trailers }) => setImmediate(() => resolve({ ...answered, trailers })))
    },
  )
}

describe('a gRPC call', () => {
  test('goes through with metadata and trailers', async () => {
    const { error, answer, trailers } = await call('unary')
    expect(error).toBeNull()
    expect(answer?.toString()).toBe('hello')
    expect(trailers?.get('x-trailer')).toEqual(['at-the-end'])
    expect(seen?.get('x-own')).toEqual(['value'])
    expect(seen?.get('x-request-id')).toHaveLength(1)
  })

  test('of a megabyte arrives whole', async () => {
    const request = Buffer.alloc(1_000_000, 'payload')
    const { answer } = await call('unary', request)
    expect(answer?.equals(request)).toBe(true)
  })

  test('streams both ways at once', async () => {
    const stream = (client as unknown as { chat(): NodeJS.ReadWriteStream }).chat()
    const answers: string[] = []
    const ended = new Promise((resolve) => stream.on('end', resolve))
    for (const word of ['one', 'two', 'three']) {
      stream.write(Buffer.from(word))
      // The answer comes while the request is still open.
      await new Promise<void>((resolve) =>
        stream.once('data', (message: Buffer) => {
          answers.push(message.toString())
          resolve()
        }),
      )
    }
    stream.end()
    await ended
    expect(answers).toEqual(['one', 'two', 'three'])
  })

  test('that fails keeps the status of its server', async () => {
    const { error } = await call('fail')
    expect(error).toMatchObject({ code: status.ALREADY_EXISTS, details: 'there is one' })
  })

  test('to a server that is not there is UNAVAILABLE', async () => {
    const { error } = await call('gone')
    expect(error?.code).toBe(status.UNAVAILABLE)
    expect(error?.details).toContain('could not be reached')
  })

  test('without a route is UNIMPLEMENTED', async () => {
    expect((await call('none')).error?.code).toBe(status.UNIMPLEMENTED)
  })

  test('ends at its deadline on both sides', async () => {
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve
    })
    const { error } = await call('hang', undefined, { deadline: Date.now() + 300 })
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED)
    await gone
  })
})
