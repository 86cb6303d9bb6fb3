import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { freePort, listenOnFreePort } from '../../support/ports.ts'
import { openRaw, statusOf } from '../../support/raw-client.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function gatewayFor(port: number): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: `http://127.0.0.1:${port}`, retries: 0 }],
      routes: [{ name: 'route', service: 'service', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

/** Answers as soon as a head has come, and reads no more. */
async function startHasty(): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhasty'))
  })
  ended.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    return once(server, 'close')
  })
  return listenOnFreePort(server)
}

const head = (framing: string) => `POST / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n`

describe('an upload that is answered before all of it has come', () => {
  test('keeps its connection where little is left: the rest is read, and dropped', async () => {
    const gateway = await gatewayFor(await freePort())
    const client = await openRaw(gateway.ports.http)
    client.send(`${head('Content-Length: 10')}12345`)
    const first = await client.until(/request_id/)
    expect(statusOf(first)).toBe(502)
    expect(first).not.toMatch(/connection: close/)
    client.send('67890GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect((await client.closed).match(/HTTP\/1\.1 502/g)).toHaveLength(2)
  })

  test.each([
    ['much is left', 'Content-Length: 1000000', '12345'],
    ['nobody knows how much is left', 'Transfer-Encoding: chunked', '5\r\n12345\r\n'],
  ])('is told that the connection closes where %s', async (_, framing, piece) => {
    const gateway = await gatewayFor(await freePort())
    const client = await openRaw(gateway.ports.http)
    client.send(head(framing) + piece)
    const answer = await client.closed
    expect(statusOf(answer)).toBe(502)
    expect(answer).toMatch(/connection: close/)
  })

  test('is told so with the answer of a service, too', async () => {
    const gateway = await gatewayFor(await startHasty())
    const client = await openRaw(gateway.ports.http)
    client.send(`${head('Content-Length: 1000000')}12345`)
    const answer = await client.closed
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toMatch(/connection: close/)
    expect(answer).toMatch(/hasty$/)
  })

  test('is logged as answered where the client leaves behind that', async () => {
    const gateway = await gatewayFor(await startHasty())
    const client = await openRaw(gateway.ports.http)
    client.send(`${head('Content-Length: 10')}12345`)
    await client.until(/hasty$/)
    client.socket.resetAndDestroy()
    const [line] = await eventually('the line in access.log', async () => {
      const lines = await gateway.accessLog()
      return lines.length > 0 && lines
    })
    expect(line).toMatchObject({ status: 200, request_bytes: 5 })
    expect(line).not.toHaveProperty('code')
  })
})

test('what is wrong with the body of a request stands in error.log', async () => {
  const gateway = await gatewayFor(await startHasty())
  const client = await openRaw(gateway.ports.http)
  client.send(`${head('Transfer-Encoding: chunked')}no size\r\n`)
  expect(statusOf(await client.closed)).toBe(400)
  await eventually('the line in error.log', async () =>
    /request refused .*reason="a chunk without its size"/.test(await gateway.errorLog()),
  )
})
