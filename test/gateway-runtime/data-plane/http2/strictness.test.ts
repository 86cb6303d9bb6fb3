import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import {
  block,
  type Frame,
  flag,
  frame,
  get,
  type Http2RawClient,
  number,
  openHttp2,
  preface,
  type,
} from '../../../support/http2-client.ts'
import { freePort } from '../../../support/ports.ts'
import { echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

const [protocolError, flowControlError, streamClosed, frameSizeError, refusedStream] = [1, 3, 5, 6, 7]
const [compressionError, enhanceYourCalm] = [9, 11]

let upstream: Upstream
let gateway: TestGateway
let port: number
const clients: Http2RawClient[] = []

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    if (request.url === '/large') response.end(Buffer.alloc(300_000, 'abc'))
    else if (request.url !== '/silent') echo(request, response)
  })
  port = await freePort()
  gateway = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port, protocol: 'http', http2: true }],
      limits: { header_timeout: '300ms', streams: 10, body_timeout: '500ms' },
      services: [{ name: 'plain', url: upstream.url }],
      routes: [{ name: 'root', service: 'plain', paths: ['/'], strip_path: false }],
    },
  })
})

afterAll(async () => {
  for (const { socket } of clients) socket.destroy()
  await gateway?.stop()
  await upstream?.stop()
})

async function open(silent = false): Promise<Http2RawClient> {
  const client = await openHttp2(port, silent)
  clients.push(client)
  return client
}

const headers = (stream: number, fields: readonly (readonly [string, string])[], flags = 5) =>
  frame(type.headers, flags, stream, block(fields))
const resetOf = (stream: number) => (one: Frame) => one.type === type.reset && one.stream === stream
const goaway = (one: Frame) => one.type === type.goaway
const codeOfGoaway = (one: Frame) => one.payload.readUInt32BE(4)
const codeOfReset = (one: Frame) => one.payload.readUInt32BE(0)
const endOf = (stream: number) => (one: Frame) =>
  one.stream === stream && one.type <= 1 && (one.flags & flag.endStream) !== 0
const answered = async (client: Http2RawClient, stream: number) => {
  await client.until(endOf(stream))
  const body = client.frames.filter((one) => one.type === type.data && one.stream === stream)
  return Buffer.concat(body.map(({ payload }) => payload)).toString()
}

const upload = (length: string): [string, string][] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/up'],
  [':authority', 'example.com'],
  ['content-length', length],
]

describe('a request that is malformed costs its stream, and no service sees it', () => {
  test.each<[string, [string, string][]]>([
    ['an upper-case name', [...get('/m'), ['X-Upper', '1']]],
    ['a name with a space', [...get('/m'), ['x bad', '1']]],
    ['CR and LF in a value', [...get('/m'), ['x-bad', 'a\r\nhost: evil']]],
    ['NUL in a value', [...get('/m'), ['x-bad', 'a\0b']]],
    ['white space around a value', [...get('/m'), ['x-bad', ' a']]],
    ['connection', [...get('/m'), ['connection', 'close']]],
    ['transfer-encoding', [...get('/m'), ['transfer-encoding', 'chunked']]],
    ['upgrade', [...get('/m'), ['upgrade', 'websocket']]],
    ['te other than trailers', [...get('/m'), ['te', 'gzip']]],
    ['two :path', [...get('/m'), [':path', '/other']]],
    ['an unknown pseudo-header', [[':version', '2'], ...get('/m')]],
    ['a pseudo-header behind others', [['accept', '*/*'], ...get('/m')]],
    ['no :method', get('/m').slice(1)],
    ['no :scheme', get('/m').filter(([name]) => name !== ':scheme')],
    ['no :path', get('/m').filter(([name]) => name !== ':path')],
    ['an empty :path', get('')],
    ['a :path with a space', get('/a b')],
    ['an absolute :path', get('http://example.com/m')],
    ['a :method that is no token', [[':method', 'GE T'], ...get('/m').slice(1)]],
    ['a host that is another', [...get('/m'), ['host', 'evil.example']]],
    ['a content-length without a body', [...get('/m'), ['content-length', '5']]],
  ])('%s', async (_, fields) => {
    const before = upstream.requests.length
    const client = await open()
    client.send(headers(1, fields))
    expect(codeOfReset(await client.until(resetOf(1)))).toBe(protocolError)
    // The connection goes on.
    client.send(headers(3, get('/after')))
    expect(await answered(client, 3)).toContain('/after')
    expect(upstream.requests.slice(before).map(({ url }) => url)).toEqual(['/after'])
  })

  test.each<[string, number, [string, string][]]>([
    ['a fragment', 400, get('/a#b')],
    ['a step above the root', 400, get('/../a')],
    ['an encoded slash', 400, get('/a%2fb')],
    ['userinfo in :authority', 400, [...get('/m').slice(0, 3), [':authority', 'user@example.com']]],
    ['TRACE', 405, [[':method', 'TRACE'], ...get('/m').slice(1)]],
    [
      'CONNECT',
      405,
      [
        [':method', 'CONNECT'],
        [':authority', 'example.com:443'],
      ],
    ],
    ['two content-length', 400, [...upload('2'), ['content-length', '2']]],
    ['a content-length that is no number', 400, upload('+2')],
    ['a header that is too large', 431, [...get('/m'), ['x-large', 'a'.repeat(16_300)]]],
    [
      'too many fields',
      431,
      [...get('/m'), ...Array.from({ length: 120 }, (_, n) => [`x-${n}`, '1'] as [string, string])],
    ],
  ])('%s is answered with %d', async (_, status, fields) => {
    const client = await open()
    client.send(headers(1, fields))
    expect(JSON.parse(await answered(client, 1)).status).toBe(status)
  })

  test.each([
    ['more', '2', ['abc']],
    ['less', '5', ['ab']],
  ])('%s body than content-length says: the service never takes it for complete', async (_, length, body) => {
    const before = upstream.requests.length
    const client = await open()
    client.send(headers(1, upload(length), flag.endHeaders))
    client.send(frame(type.data, flag.endStream, 1, body.join('')))
    expect(codeOfReset(await client.until(resetOf(1)))).toBe(protocolError)
    client.send(headers(3, get('/after')))
    await answered(client, 3)
    expect(
      upstream.requests.slice(before).every((request) => request.url === '/after' || !request.complete),
    ).toBe(true)
  })
})

describe('a connection that breaks the protocol is closed with GOAWAY', () => {
  const settings = (...pairs: [number, number][]) => {
    const bytes = Buffer.alloc(pairs.length * 6)
    for (const [index, [id, value]] of pairs.entries()) {
      bytes.writeUInt16BE(id, index * 6)
      bytes.writeUInt32BE(value, index * 6 + 2)
    }
    return frame(type.settings, 0, 0, bytes)
  }
  test.each<[string, number, Buffer[]]>([
    ['an even stream', protocolError, [headers(2, get('/'))]],
    ['HEADERS of stream 0', protocolError, [headers(0, get('/'))]],
    ['DATA of a stream that is not open', protocolError, [frame(type.data, 0, 1, 'x')]],
    ['a frame over 16 KiB', frameSizeError, [frame(type.data, 0, 1, Buffer.alloc(16_385))]],
    ['SETTINGS of five bytes', frameSizeError, [frame(type.settings, 0, 0, 'abcde')]],
    ['SETTINGS of a stream', protocolError, [frame(type.settings, 0, 1)]],
    ['an acknowledgement with settings', frameSizeError, [frame(type.settings, flag.ack, 0, 'abcdef')]],
    ['ENABLE_PUSH 2', protocolError, [settings([2, 2])]],
    ['a window over 2^31-1', flowControlError, [settings([4, 2 ** 31])]],
    ['MAX_FRAME_SIZE 100', protocolError, [settings([5, 100])]],
    [
      '33 settings',
      enhanceYourCalm,
      [settings(...Array.from({ length: 33 }, () => [9, 1] as [number, number]))],
    ],
    ['PING of seven bytes', frameSizeError, [frame(type.ping, 0, 0, 'abcdefg')]],
    ['PUSH_PROMISE', protocolError, [frame(type.push, 4, 1, number(2))]],
    ['WINDOW_UPDATE of nothing', protocolError, [frame(type.window, 0, 0, number(0))]],
    ['a window that overflows', flowControlError, [frame(type.window, 0, 0, number(2 ** 31 - 1))]],
    ['RST_STREAM of a stream that is not open', protocolError, [frame(type.reset, 0, 1, number(8))]],
    ['PRIORITY of stream 0', protocolError, [frame(type.priority, 0, 0, 'abcde')]],
    ['padding as long as its frame', protocolError, [frame(type.headers, 0xd, 1, '\x05abcd')]],
    [
      'a header block that cannot be decoded',
      compressionError,
      [frame(type.headers, 5, 1, '\xff\xff\xff\xff\xff\xff')],
    ],
    ['CONTINUATION of nothing', protocolError, [frame(type.continuation, 4, 1, 'x')]],
    [
      'a frame within a header block',
      protocolError,
      [
        frame(type.headers, flag.endStream, 1, block(get('/')).subarray(0, 5)),
        frame(type.ping, 0, 0, 'abcdefgh'),
      ],
    ],
    [
      'CONTINUATION of another stream',
      protocolError,
      [
        frame(type.headers, flag.endStream, 1, block(get('/')).subarray(0, 5)),
        frame(type.continuation, 4, 3, 'x'),
      ],
    ],
  ])('%s', async (_, code, frames) => {
    const client = await open()
    client.send(...frames)
    expect(codeOfGoaway(await client.until(goaway))).toBe(code)
    await client.closed
  })

  test('no SETTINGS behind the preface', async () => {
    const client = await open(true)
    client.send(Buffer.from(preface), headers(1, get('/')))
    expect(codeOfGoaway(await client.until(goaway))).toBe(protocolError)
  })
})

describe('floods', () => {
  test.each<[string, (n: number) => Buffer]>([
    ['PING', () => frame(type.ping, 0, 0, 'abcdefgh')],
    ['SETTINGS', () => frame(type.settings, 0, 0)],
    ['PRIORITY', (n) => frame(type.priority, 0, n * 2 + 1, 'abcde')],
    ['unknown frames', () => frame(0x77, 0, 0, 'abc')],
    [
      'streams that are opened and reset',
      (n) => Buffer.concat([headers(n * 2 + 1, get('/silent')), frame(type.reset, 0, n * 2 + 1, number(8))]),
    ],
    ['streams that break the rules', (n) => headers(n * 2 + 1, [...get('/'), ['te', 'gzip']])],
    ['streams past the limit', (n) => headers(n * 2 + 1, get('/silent'))],
  ])('of %s end with ENHANCE_YOUR_CALM', async (_, make) => {
    const client = await open()
    client.send(...Array.from({ length: 6_000 }, (_, n) => make(n)))
    expect(codeOfGoaway(await client.until(goaway))).toBe(enhanceYourCalm)
    await client.closed
  })

  test('of CONTINUATION end when the block is larger than a header may be', async () => {
    const client = await open()
    client.send(frame(type.headers, flag.endStream, 1, block(get('/'))))
    for (let n = 0; n < 40; n++)
      client.send(frame(type.continuation, 0, 1, block([[`x-${n}`, 'a'.repeat(1_000)]])))
    expect(codeOfGoaway(await client.until(goaway))).toBe(enhanceYourCalm)
  })

  test('of empty CONTINUATION frames end too', async () => {
    const client = await open()
    client.send(frame(type.headers, flag.endStream, 1, block(get('/'))))
    client.send(...Array.from({ length: 6_000 }, () => frame(type.continuation, 0, 1)))
    expect(codeOfGoaway(await client.until(goaway))).toBe(enhanceYourCalm)
  })

  test('of empty DATA end too', async () => {
    const client = await open()
    client.send(headers(1, upload('1'), flag.endHeaders))
    client.send(...Array.from({ length: 6_000 }, () => frame(type.data, 0, 1)))
    expect(codeOfGoaway(await client.until(goaway))).toBe(enhanceYourCalm)
  })

  test('a stream past the limit is refused, so that the client may try it again', async () => {
    const client = await open()
    for (let n = 0; n < 11; n++) client.send(headers(n * 2 + 1, get('/silent')))
    expect(codeOfReset(await client.until(resetOf(21)))).toBe(refusedStream)
  })
})

describe('windows', () => {
  test('a client that takes nothing is sent no more than its window, and given up in time', async () => {
    const client = await open()
    client.send(headers(1, get('/large')))
    expect(codeOfReset(await client.until(resetOf(1)))).toBe(8)
    const sent = client.frames
      .filter((one) => one.type === type.data)
      .reduce((sum, one) => sum + one.payload.length, 0)
    expect(sent).toBe(65_535)
  })

  test('an answer goes on as they open', async () => {
    const client = await open()
    client.send(frame(type.window, 0, 0, number(1_000_000)))
    client.send(headers(1, get('/large')))
    const opened = new Set<Frame>()
    client.socket.on('data', () => {
      for (const one of client.frames) {
        if (one.type !== type.data || opened.has(one) || one.payload.length === 0) continue
        opened.add(one)
        client.send(frame(type.window, 0, 1, number(one.payload.length)))
      }
    })
    expect((await answered(client, 1)).length).toBe(300_000)
  })

  test('DATA behind the end of a stream is refused', async () => {
    const client = await open()
    client.send(headers(1, get('/silent')), frame(type.data, 0, 1, 'more'))
    expect(codeOfReset(await client.until(resetOf(1)))).toBe(streamClosed)
  })
})

describe('time', () => {
  test('a preface that does not come closes the connection', async () => {
    const client = await open(true)
    client.send(Buffer.from(preface.slice(0, 10)))
    await client.closed
  })

  test('a header block that does not end closes the connection', async () => {
    const client = await open()
    client.send(frame(type.headers, flag.endStream, 1, block(get('/')).subarray(0, 5)))
    await client.closed
  })

  test('a body that stops arriving is answered with 408', async () => {
    const client = await open()
    client.send(headers(1, upload('10'), flag.endHeaders), frame(type.data, 0, 1, 'abc'))
    expect(JSON.parse(await answered(client, 1)).status).toBe(408)
  })
})

test('a request with less body than it announced counts once, as malformed', async () => {
  const counts = async () => {
    const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    return [...text.matchAll(/^gatehouse_requests_total\{code="\d+"\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    )
  }
  const before = await counts()
  const client = await open()
  const fields = [[':method', 'POST'], ...get('/short').slice(1), ['content-length', '5']] as const
  client.send(headers(1, fields as never, flag.endHeaders), frame(type.data, flag.endStream, 1, 'abc'))
  expect(codeOfReset(await client.until(resetOf(1)))).toBe(protocolError)
  const line = await eventually('the line in access.log', async () =>
    (await gateway.accessLog()).find(({ path }) => path === '/short'),
  )
  expect(line).toMatchObject({ status: 400, code: 'malformed-request' })
  expect(await counts()).toBe(before + 1)
})
