import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { listenOnFreePort } from '../../support/ports.ts'
import { openRaw } from '../../support/raw-client.ts'

const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\nX-Of-Target: 1\r\n\r\n'
/** What the targets of raw tests answer to a request for a path. */
const answers: Record<string, string> = {
  '/echo': switching,
  '/greeting': `${switching}hello`,
  '/ends': switching,
  '/deaf': switching,
  '/floods': switching,
  '/refuses': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
  '/unasked': switching,
  '/other': switching.replace('echo', 'chat'),
}

const flood = Buffer.alloc(64 * 2 ** 20)

const webSockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
const connections = new Set<Socket>()
let heads: string[] = []
// Echoes what it is sent in a tunnel; its first bytes are the head of the request.
const service = createServer({ allowHalfOpen: true }, (socket) => {
  connections.add(socket)
  socket.on('close', () => connections.delete(socket))
  socket.on('error', () => {})
  let head = ''
  socket.on('data', (chunk) => {
    if (head.endsWith('\r\n\r\n')) return socket.write(chunk)
    head += chunk.toString('latin1')
    const end = head.indexOf('\r\n\r\n') + 4
    if (end < 4) return
    const rest = head.slice(end)
    head = head.slice(0, end)
    heads.push(head)
    const path = head.split(' ')[1]!
    socket.write((answers[path] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') + rest)
    if (path === '/ends') socket.end()
    if (path === '/deaf') socket.pause()
    if (path === '/floods') socket.write(flood)
    if (!answers[path]?.startsWith(switching.slice(0, 12))) head = ''
  })
  socket.on('end', () => socket.end(head.includes(' /echo ') ? 'bye' : ''))
})
let gateway: TestGateway

beforeAll(async () => {
  const port = await listenOnFreePort(service)
  const webSocketPort = (webSockets.address() as { port: number }).port
  webSockets.on('connection', (client) =>
    client.on('message', (data, binary) => client.send(data, { binary })),
  )
  gateway = await startGateway({
    config: {
      limits: { body_bytes: 1_000, tunnel_idle_timeout: '1s' },
      services: [
        { name: 'raw', url: `http://127.0.0.1:${port}` },
        { name: 'ws', url: `http://127.0.0.1:${webSocketPort}` },
      ],
      routes: [
        { name: 'ws', service: 'ws', paths: ['/ws'], strip_path: false },
        { name: 'none', service: 'ws', paths: ['/none'], upgrades: [] },
        { name: 'raw', service: 'raw', paths: ['/'], strip_path: false, upgrades: ['echo'] },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  for (const socket of connections) socket.destroy()
  service.close()
  webSockets.close()
})

const upgrade = (path: string, ...fields: string[]) =>
  [`GET ${path} HTTP/1.1`, 'Host: h', 'Connection: upgrade', 'Upgrade: echo', ...fields, '', ''].join('\r\n')

async function open(path: string, early = '') {
  heads = []
  const client = await openRaw(gateway.ports.http)
  client.send(upgrade(path) + early)
  return client
}

const metric = async (name: string) => {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`^gatehouse_${name} (\\d+)$`, 'm').exec(text)?.[1])
}

describe('a WebSocket', () => {
  test('passes through, larger than a body may be, and is one line of the log at its end', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/ws/chat?room=1`)
    await new Promise((resolve) => socket.once('open', resolve))
    expect(await metric('tunnels_active')).toBe(1)
    const message = 'm'.repeat(300_000)
    const answer = new Promise((resolve) => socket.once('message', (data) => resolve(data.toString())))
    socket.send(message)
    expect(await answer).toBe(message)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.close(1_000)
    expect(await closed).toBe(1_000)
    const line = await eventually('the line of the log', async () =>
      (await gateway.accessLog()).find(({ path }) => path === '/ws/chat'),
    )
    expect(line).toMatchObject({ status: 101, route: 'ws' })
    expect(line.request_bytes).toBeGreaterThan(300_000)
    expect(line.response_bytes).toBeGreaterThan(300_000)
    expect(await metric('tunnels_active')).toBe(0)
  })

  test('is refused where the route has no upgrades: the target sees an ordinary request', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/none`)
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(error.message).toBe('Unexpected server response: 426')
  })
})

describe('a tunnel', () => {
  test('of any protocol that the route names; the head is written anew', async () => {
    const client = await open('/echo')
    const head = await client.until(/\r\n\r\n/)
    expect(head).toMatch(
      /^HTTP\/1.1 101 Switching Protocols\r\nX-Of-Target: 1\r\n(date: .*\r\n)?x-request-id: \S+\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n$/,
    )
    expect(heads[0]).toMatch(/\r\nvia: 1.1 gatehouse\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n$/)
    client.send('\x00\xff no HTTP\r\n')
    await client.until(/no HTTP\r\n$/)
    client.socket.end()
    expect(await client.until(/bye$/)).toContain('bye')
  })

  test('begins with what either side says before the other knows of it', async () => {
    const client = await open('/greeting', 'early')
    expect(await client.until(/\r\n\r\nhelloearly$/)).toContain('101')
    client.socket.destroy()
  })

  test('stays open for the client when the target has said all', async () => {
    const client = await open('/ends')
    await new Promise((resolve) => client.socket.once('end', resolve))
    expect(heads).toHaveLength(1)
    client.socket.destroy()
  })

  test('that is silent for too long is closed', async () => {
    const client = await open('/echo')
    await client.until(/\r\n\r\n/)
    await new Promise((resolve) => client.socket.once('close', resolve))
    const line = await eventually('the line of the log', async () =>
      (await gateway.accessLog()).find(({ code }) => code === 'tunnel-idle'),
    )
    expect(line).toMatchObject({ status: 101, path: '/echo' })
  })

  test('ends for the target when the client is gone', async () => {
    const client = await open('/echo')
    await client.until(/\r\n\r\n/)
    const [target] = [...connections].slice(-1)
    const closed = new Promise((resolve) => target!.once('close', resolve))
    client.socket.resetAndDestroy()
    await closed
  })

  test.each([
    ['/deaf', 'request_bytes'],
    ['/floods', 'response_bytes'],
  ])('holds a fast side back while the other takes nothing: %s', async (path, field) => {
    const client = await open(path)
    await client.until(/\r\n\r\n/)
    client.socket.pause()
    if (path === '/deaf') client.send(flood)
    // Nothing moves any more when the buffers of the sockets are full: then the tunnel is idle.
    const line = await eventually('the line of the log', async () =>
      (await gateway.accessLog()).find((line) => line.path === path),
    )
    expect(line).toMatchObject({ code: 'tunnel-idle' })
    expect(line[field]).toBeLessThan(flood.length / 2)
    client.socket.destroy()
  })
})

describe('an offer to upgrade', () => {
  test('that the target refuses is answered, and the connection goes on', async () => {
    const client = await open('/refuses', 'GET /plain HTTP/1.1\r\nHost: h\r\n\r\n')
    const answer = await client.until(/ok$/)
    expect(answer).toMatch(/^HTTP\/1.1 403 .*\r\n\r\nnoHTTP\/1.1 200 /s)
    client.socket.destroy()
  })

  test.each(['Content-Length: 3', 'Transfer-Encoding: chunked'])(
    'with a body is refused: %s',
    async (field) => {
      heads = []
      const client = await openRaw(gateway.ports.http)
      client.send(upgrade('/echo', field))
      expect(await client.until(/\}\s*$/)).toMatch(/^HTTP\/1.1 400 .*connection: close/s)
      expect(heads).toEqual([])
    },
  )

  test('of two protocols, or without Connection, is an ordinary request', async () => {
    for (const fields of [['Connection: upgrade', 'Upgrade: echo, chat'], ['Upgrade: echo']]) {
      heads = []
      const client = await openRaw(gateway.ports.http)
      client.send(['GET /plain HTTP/1.1', 'Host: h', ...fields, '', ''].join('\r\n'))
      await client.until(/ok$/)
      expect(heads[0]).not.toMatch(/upgrade/i)
      client.socket.destroy()
    }
  })

  test('twice is refused', async () => {
    const client = await openRaw(gateway.ports.http)
    client.send(upgrade('/echo', 'Upgrade: echo'))
    expect(await client.until(/\}\s*$/)).toMatch(/^HTTP\/1.1 400 /)
  })

  test.each([
    ['/other', 'another protocol than was asked for', upgrade('/other')],
    ['/unasked', 'a change that nobody asked for', 'GET /unasked HTTP/1.1\r\nHost: h\r\n\r\n'],
  ])('answered with %s is a bad response: %s', async (_path, _what, request) => {
    const client = await openRaw(gateway.ports.http)
    client.send(request)
    expect(await client.until(/\}\s*$/)).toMatch(/^HTTP\/1.1 502 /)
    client.socket.destroy()
  })
})
