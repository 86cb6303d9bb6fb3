import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { LogQueue } from '../../../../gateway-runtime/src/plugins/logging/log-queue.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { startUpstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(name: string, config: object): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      plugins: [{ name, config: { flush_interval: 10, ...config } }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

/** A server that keeps what it is sent. */
async function startCollector() {
  let text = ''
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  ended.push(stop)
  return { port, text: () => text, sockets }
}

const ask = async (gateway: TestGateway, path: string) => (await fetch(`${gateway.url}${path}`)).text()
const entry = { method: 'GET', path: '/some', status: 200, route: 'all', service: 'echo' }

describe('a line for each request', () => {
  test('goes to a file, which may be moved away', async () => {
    const path = join(await newFolder(), 'own.log')
    const gateway = await start('file-log', { path })
    await ask(gateway, '/some?secret=1')
    const line = await eventually('a line', () =>
      readFile(path, 'utf8').then(
        (text) => text || undefined,
        () => undefined,
      ),
    )
    expect(JSON.parse(line)).toMatchObject(entry)
    expect(line).not.toContain('secret')
  })

  test('goes over TCP, again after the connection was lost', async () => {
    const collector = await startCollector()
    const gateway = await start('tcp-log', { host: '127.0.0.1', port: collector.port })
    await ask(gateway, '/some')
    await eventually('a line', () => collector.text().endsWith('\n'))
    expect(JSON.parse(collector.text())).toMatchObject(entry)
    for (const socket of collector.sockets) socket.destroy()
    await eventually('another line', async () => {
      await ask(gateway, '/other')
      return collector.text().includes('"/other"')
    })
  })

  test('goes by syslog, each with its length', async () => {
    const collector = await startCollector()
    const gateway = await start('syslog', {
      host: '127.0.0.1',
      port: collector.port,
      protocol: 'tcp',
      facility: 'local3',
    })
    await ask(gateway, '/some')
    const message = await eventually('a message', () =>
      /^(\d+) (<158>1 \S+ \S+ gateway \d+ access - (\{.*\}))$/.exec(collector.text()),
    )
    expect(Number(message[1])).toBe(Buffer.byteLength(message[2]!))
    expect(JSON.parse(message[3]!)).toMatchObject(entry)
  })

  test('goes by UDP', async () => {
    const socket = createSocket('udp4')
    ended.push(async () => socket.close())
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const received = once(socket, 'message') as Promise<[Buffer]>
    const gateway = await start('udp-log', { host: '127.0.0.1', port: socket.address().port })
    await ask(gateway, '/some')
    expect(JSON.parse((await received)[0].toString())).toMatchObject(entry)
  })

  test('goes to an HTTP server, once that takes it', async () => {
    const bodies: string[] = []
    let refused = 0
    const server = await startUpstream((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      request.on('end', () => {
        if (refused++ < 2) return void response.writeHead(503).end()
        bodies.push(`${request.headers['content-type']} ${request.headers.authorization} ${body}`)
        response.end()
      })
    })
    ended.push(() => server.stop())
    const gateway = await start('http-log', {
      http_endpoint: `${server.url}/ingest`,
      headers: { authorization: 'Bearer token' },
    })
    await ask(gateway, '/some')
    await eventually('a body', () => bodies.length > 0)
    const [, line] = /^application\/x-ndjson Bearer token (.*)\n$/.exec(bodies[0]!)!
    expect(JSON.parse(line!)).toMatchObject(entry)
    const log = await gateway.errorLog()
    expect(log.match(/log cannot be sent/g)).toHaveLength(1)
    expect(log).toContain('the server answered 503')
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toMatch(/plugin="http-log",scope="global",event="sent"\} 1/)
  })
})

describe('the queue', () => {
  test('keeps the newest lines while its sink fails, in order, and says how many it lost', async () => {
    const sent: string[] = []
    let isUp = false
    const sink = {
      send: async (lines: readonly string[]) => {
        if (!isUp) throw new Error('down')
        sent.push(...lines)
      },
      close: () => {},
    }
    const problems: string[] = []
    const queue = new LogQueue(sink, { queue_bytes: 100, batch_lines: 3 }, (reason) => problems.push(reason))
    const line = (number: number) => `line ${String(number).padStart(5, '0')}`
    let lost = 0
    for (let number = 0; number < 100; number++) lost += queue.add([line(number)])
    isUp = true
    await eventually('the lines', () => sent.at(-1) === line(99))
    expect(sent).toEqual(Array.from({ length: sent.length }, (_, index) => line(100 - sent.length + index)))
    expect(sent.length).toBeGreaterThanOrEqual(9)
    expect(problems).toEqual(['down'])
    expect(lost + queue.add([])).toBe(100 - sent.length)
    await queue.stop()
  })
})
