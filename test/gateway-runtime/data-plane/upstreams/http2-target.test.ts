import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { block, flag, frame, number, preface, type } from '../../../support/http2-client.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { openRaw } from '../../../support/raw-client.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const status200 = Buffer.from([0x88]) // RFC 7541 appendix A
const goaway = frame(type.goaway, 0, 0, Buffer.concat([number(0), number(0)]))

/** Speaks HTTP/2 as a test makes it; `onHead` is told of every request, and of the count of connections. */
async function startHttp2(onHead: (socket: Socket, stream: number, connections: number) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const count = sockets.push(socket)
    socket.on('error', () => {})
    socket.write(frame(type.settings, 0, 0))
    let rest = Buffer.alloc(0)
    let isGreeted = false
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      if (!isGreeted && rest.length >= preface.length) {
        isGreeted = true
        rest = rest.subarray(preface.length)
      }
      while (isGreeted && rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        if (rest[3] === type.headers) onHead(socket, rest.readUInt32BE(5), count)
        rest = rest.subarray(9 + rest.readUIntBE(0, 3))
      }
    })
  })
  ended.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const port = await listenOnFreePort(server)
  return { port, connections: () => sockets.length }
}

/** Says goodbye to so many connections before the first of their requests is begun. */
const startLeaving = (goodbyes: number) =>
  startHttp2((socket, stream, connections) => {
    if (connections <= goodbyes) socket.end(goaway)
    else socket.write(frame(type.headers, flag.endHeaders | flag.endStream, stream, status200))
  })

async function gatewayFor(port: number): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: `http://127.0.0.1:${port}`, http_version: '2', retries: 0 }],
      routes: [{ name: 'route', service: 'service', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

test.each([1, 2])(
  'a request that a target had not begun when it said goodbye %i times is sent again',
  async (goodbyes) => {
    const upstream = await startLeaving(goodbyes)
    const gateway = await gatewayFor(upstream.port)
    expect((await fetch(gateway.url, { method: 'POST', body: 'body' })).status).toBe(200)
    expect(upstream.connections()).toBe(goodbyes + 1)
  },
)

test('a target that does nothing but say goodbye is answered with 502', async () => {
  const upstream = await startLeaving(Number.POSITIVE_INFINITY)
  const gateway = await gatewayFor(upstream.port)
  const answer = await fetch(gateway.url)
  expect(answer.status).toBe(502)
  expect(await answer.json()).toMatchObject({ code: 'upstream-connection-reset' })
  expect(upstream.connections()).toBe(3)
})

test('a target that resets a stream behind the last byte of an answer takes no other request along', async () => {
  const resets: (() => void)[] = []
  const upstream = await startHttp2((socket, stream) => {
    const head = block([
      [':status', '200'],
      ['content-length', '5'],
    ])
    socket.write(frame(type.headers, flag.endHeaders, stream, head))
    socket.write(frame(type.data, 0, stream, 'whole'))
    resets.push(() => socket.write(frame(type.reset, 0, stream, number(2))))
  })
  const gateway = await gatewayFor(upstream.port)
  const client = await openRaw(gateway.ports.http)
  client.send('GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  // Only now: what comes in the same read as the answer has it taken back, as nothing of it has left.
  await client.until(/whole/)
  resets[0]!()
  await client.until(/whole.*whole/s)
  resets[1]!()
  expect((await client.closed).match(/whole/g)).toHaveLength(2)
})
