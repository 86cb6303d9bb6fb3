import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { flag, frame, number, preface, type } from '../../../support/http2-client.ts'
import { listenOnFreePort } from '../../../support/ports.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const status200 = Buffer.from([0x88]) // RFC 7541 appendix A
const goaway = frame(type.goaway, 0, 0, Buffer.concat([number(0), number(0)]))

/** Speaks HTTP/2, and says goodbye to so many connections before the first of their requests is begun. */
async function startLeaving(goodbyes: number) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const count = sockets.push(socket)
    socket.on('error', () => {})
    socket.write(frame(type.settings, 0, 0))
    let received = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (!hasHeaders(received)) return
      if (count <= goodbyes) socket.end(goaway)
      else socket.write(frame(type.headers, flag.endHeaders | flag.endStream, 1, status200))
    })
  })
  ended.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const port = await listenOnFreePort(server)
  return { port, connections: () => sockets.length }
}

function hasHeaders(bytes: Buffer): boolean {
  for (let at = preface.length; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
    if (bytes[at + 3] === type.headers) return true
  return false
}

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
