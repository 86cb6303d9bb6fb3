import { toBinary } from '@bufbuild/protobuf'
import { StringValueSchema } from '@bufbuild/protobuf/wkt'
import { type CallOptions, Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type EchoServer, echo, startEcho } from './echo-service.ts'

interface Text {
  readonly value: string
}

interface EchoClient {
  say(message: { value: string }, options?: CallOptions): Promise<Text>
  fail(message: { value: string }): Promise<Text>
  count(message: { value: string }): AsyncIterable<Text>
}

let server: EchoServer
let gateway: TestGateway

beforeAll(async () => {
  server = await startEcho()
  gateway = await startGateway({
    config: {
      services: [
        { name: 'echo', url: `grpc://127.0.0.1:${server.port}` },
        { name: 'gone', url: 'grpc://127.0.0.1:9', retries: 0 },
      ],
      routes: [
        { name: 'echo', service: 'echo', paths: ['/test.Echo/'], strip_path: false },
        { name: 'gone', service: 'gone', paths: ['/gone/test.Echo/'], strip_path: false },
      ],
      plugins: [{ name: 'grpc-web', config: { text_body_bytes: 10_000 } }],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  server.stop()
})

const clientAt = (path = '') =>
  createClient(
    echo,
    createGrpcWebTransport({ baseUrl: `${gateway.url}${path}`, httpVersion: '1.1' }),
  ) as unknown as EchoClient

describe('a client of gRPC-Web', () => {
  test('calls a method; metadata and trailers come through', async () => {
    let trailer: string | null = null
    const answer = await clientAt().say(
      { value: 'Grüße' },
      {
        headers: { 'x-own': 'mine' },
        onTrailer: (trailers) => {
          trailer = trailers.get('x-trailer')
        },
      },
    )
    expect(answer.value).toBe('Grüße')
    expect(trailer).toBe('at-the-end')
    expect(server.seen().get('x-own')).toEqual(['mine'])
  })

  test('sends and gets large messages', async () => {
    const value = 'x'.repeat(1_000_000)
    expect((await clientAt().say({ value })).value).toBe(value)
  })

  test('gets a stream', async () => {
    const values: string[] = []
    for await (const { value } of clientAt().count({ value: 'n' })) values.push(value)
    expect(values).toEqual(['n', 'n', 'n'])
  })

  test('is told how a call failed, by the service or before it', async () => {
    const failed = clientAt().fail({ value: '' })
    await expect(failed).rejects.toMatchObject({ code: Code.AlreadyExists, rawMessage: 'there is one' })
    const gone = await clientAt('/gone').say({ value: '' }).catch(ConnectError.from)
    expect(gone).toMatchObject({ code: Code.Unavailable })
  })
})

describe('in base64', () => {
  const message = Buffer.from(
    toBinary(StringValueSchema, { $typeName: StringValueSchema.typeName, value: 'text' }),
  )
  const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
  const call = (body: string) =>
    fetch(`${gateway.url}/test.Echo/Say`, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc-web-text' },
      body,
    })
  const pieces = (text: string) =>
    Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, 'base64')))

  test('a call is answered so, also where it comes in pieces that are padded', async () => {
    const split = framed.subarray(0, 4).toString('base64') + framed.subarray(4).toString('base64')
    for (const body of [framed.toString('base64'), split]) {
      const response = await call(body)
      expect(response.headers.get('content-type')).toBe('application/grpc-web-text+proto')
      const answer = pieces(await response.text())
      expect(answer.subarray(0, framed.length)).toEqual(framed)
      const trailers = answer.subarray(framed.length)
      expect(trailers[0]).toBe(0x80)
      expect(trailers.readUInt32BE(1)).toBe(trailers.length - 5)
      expect(trailers.toString('latin1', 5)).toMatch(/^grpc-status: 0\r$/m)
    }
  })

  test('what is none gets 400, what is too long 413', async () => {
    expect((await call('!!!')).status).toBe(400)
    expect((await call('A'.repeat(20_000))).status).toBe(413)
  })
})
