import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { block, flag, frame, get, number, openHttp2, type } from '../../../support/http2-client.ts'
import { freePort } from '../../../support/ports.ts'
import { openRaw } from '../../../support/raw-client.ts'
import { echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

// The same routes to a service that speaks HTTP/1.1 and to one that speaks HTTP/2, for clients of both versions.
let http1Service: Upstream
let http2Service: Http2Server
let gateway: TestGateway
let port: number
let session: ClientHttp2Session
const large = Buffer.alloc(3_000_000, 'abcdefghij')
const crowd = 60
const gathered: ServerResponse[] = []

beforeAll(async () => {
  http1Service = await startUpstream((request, response) => {
    const kind = request.url?.split('?')[0]
    if (kind === '/large') response.end(large)
    else if (kind === '/hints') {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('hinted')
    } else if (kind === '/digest') {
      const hash = createHash('sha256')
      request
        .on('data', (chunk: Buffer) => hash.update(chunk))
        .on('end', () => response.end(hash.digest('hex')))
    } else if (kind === '/gather') {
      response.write('begin ')
      if (gathered.push(response) < crowd) return
      for (const each of gathered.splice(0)) each.end('end')
    } else if (kind === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '4' })
      response.end()
    } else echo(request, response)
  })
  http2Service = createServer()
  http2Service.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    const path = String(headers[':path']).split('?')[0]
    if (path === '/large') {
      stream.respond({ ':status': 200 })
      stream.end(large)
    } else if (path === '/hints') {
      stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' })
      stream.respond({ ':status': 200 })
      stream.end('hinted')
    } else if (path === '/digest') {
      const hash = createHash('sha256')
      stream
        .on('data', (chunk: Buffer) => hash.update(chunk))
        .on('end', () => {
          stream.respond({ ':status': 200 })
          stream.end(hash.digest('hex'))
        })
    } else if (path === '/trailers') {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '4' }))
      stream.end('body')
    } else if (path === '/reset') {
      stream.close(2)
    } else if (path === '/goodbye') {
      stream.session?.goaway()
      stream.respond({ ':status': 200 })
      stream.end('bye')
    } else if (path === '/lies') {
      stream.respond({ ':status': 200, 'content-length': 10 })
      stream.end('short')
    } else {
      let body = ''
      stream
        .setEncoding('utf8')
        .on('data', (text: string) => {
          body += text
        })
        .on('end', () => {
          stream.respond({ ':status': 200, 'content-type': 'application/json' })
          stream.end(JSON.stringify({ url: headers[':path'], headers, body }))
        })
    }
  })
  http2Service.listen(0, '127.0.0.1')
  await once(http2Service, 'listening')
  port = await freePort()
  gateway = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port, protocol: 'http', http2: true }],
      services: [
        { name: 'h1', url: http1Service.url },
        {
          name: 'h2',
          url: `http://127.0.0.1:${(http2Service.address() as AddressInfo).port}`,
          http_version: '2',
        },
      ],
      routes: [
        { name: 'h1', service: 'h1', paths: ['/h1'] },
        { name: 'h2', service: 'h2', paths: ['/h2'] },
      ],
    },
  })
  session = connect(`http://127.0.0.1:${port}`)
})

afterAll(async () => {
  session?.destroy()
  await gateway?.stop()
  await http1Service?.stop()
  http2Service?.close()
})

interface Answer {
  readonly headers: IncomingHttpHeaders
  readonly interim: readonly IncomingHttpHeaders[]
  readonly trailers: IncomingHttpHeaders | undefined
  readonly body: Buffer
}

async function ask(
  headers: OutgoingHttpHeaders,
  body?: Buffer | string,
  over: ClientHttp2Session = session,
): Promise<Answer> {
  const stream = over.request(headers, { endStream: body === undefined })
  const interim: IncomingHttpHeaders[] = []
  let trailers: IncomingHttpHeaders | undefined
  stream.on('headers', (one) => interim.push(one))
  stream.on('trailers', (one) => {
    trailers = one
  })
  if (body !== undefined) stream.end(body)
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  const chunks = await stream.toArray()
  return { headers: answer, interim, trailers, body: Buffer.concat(chunks) }
}

describe.each(['/h1', '/h2'])('a request by HTTP/2 to %s', (service) => {
  test('arrives with its fields, and says who asks', async () => {
    const { headers, body } = await ask({
      ':path': `${service}/a?b=c`,
      'x-own': 'value',
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
      'x-forwarded-for': '9.9.9.9',
    })
    const seen = JSON.parse(body.toString())
    expect(headers[':status']).toBe(200)
    expect(seen.url).toBe('/a?b=c')
    expect(seen.headers).toMatchObject({
      'x-own': 'value',
      cookie: 'a=1; b=2',
      te: 'trailers',
      'x-forwarded-for': '127.0.0.1',
      'x-request-id': headers['x-request-id'],
      via: '2 gatehouse',
    })
  })

  test.each([0, 1, 16_384, 65_535, 65_536, 2_000_000])('of %d bytes arrives whole', async (size) => {
    const body = randomBytes(size)
    const answer = await ask({ ':method': 'POST', ':path': `${service}/digest` }, body)
    expect(answer.body.toString()).toBe(createHash('sha256').update(body).digest('hex'))
  })

  test('is answered whole', async () => {
    expect((await ask({ ':path': `${service}/large` })).body.equals(large)).toBe(true)
  })

  test('many at a time are each given their own answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, n) =>
        ask({ ':method': 'PUT', ':path': `${service}/n/${n}` }, `body ${n}`),
      ),
    )
    for (const [n, { body }] of answers.entries())
      expect(JSON.parse(body.toString())).toMatchObject({ url: `/n/${n}`, body: `body ${n}` })
  })

  test('gets interim answers and trailers', async () => {
    const hinted = await ask({ ':path': `${service}/hints` })
    expect(hinted.interim).toMatchObject([{ ':status': 103, link: '</style.css>; rel=preload' }])
    expect((await ask({ ':path': `${service}/trailers`, te: 'trailers' })).trailers).toMatchObject({
      'x-sum': '4',
    })
  })

  test('HEAD is answered without a body', async () => {
    const { headers, body } = await ask({ ':method': 'HEAD', ':path': `${service}/large` })
    expect(headers[':status']).toBe(200)
    expect(body).toHaveLength(0)
  })
})

test('answers on many connections that end at the same time have their end', async () => {
  const sessions = Array.from({ length: crowd }, () => connect(`http://127.0.0.1:${port}`))
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(sessions.map((each) => ask({ ':path': '/h1/gather' }, undefined, each)))
    for (const { body } of answers) expect(body.toString()).toBe('begin end')
  }
  for (const each of sessions) each.destroy()
})

describe('a request by HTTP/1.1 to a service of HTTP/2', () => {
  test('and its answer arrive', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/h2/digest`, { method: 'POST', body: large })
    expect(await answer.text()).toBe(createHash('sha256').update(large).digest('hex'))
    const download = await fetch(`http://127.0.0.1:${port}/h2/large`)
    expect(Buffer.from(await download.arrayBuffer()).equals(large)).toBe(true)
  })

  test('gets trailers where it takes them', async () => {
    const client = await openRaw(port)
    client.send('GET /h2/trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n')
    await client.until(/\r\n0\r\nx-sum: 4\r\n\r\n$/)
    client.socket.destroy()
  })
})

describe('a service of HTTP/2 that', () => {
  test('resets a stream is answered with 502', async () => {
    expect((await ask({ ':method': 'POST', ':path': '/h2/reset' }, 'x')).headers[':status']).toBe(502)
  })

  test('sends less than it announced cuts the answer off', async () => {
    const stream = session.request({ ':path': '/h2/lies' })
    const [error] = (await once(stream, 'error')) as [Error]
    expect(error.message).toContain('INTERNAL_ERROR')
  })

  test('says goodbye loses no request', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ask({ ':path': n % 5 === 0 ? '/h2/goodbye' : `/h2/${n}` })),
    )
    expect(answers.map(({ headers }) => headers[':status'])).toEqual(answers.map(() => 200))
  })
})

test('a stream that the client resets is taken from the service too', async () => {
  const client = await openHttp2(port)
  const count = http1Service.requests.length
  const head = block([[':method', 'POST'], ...get('/h1/digest').slice(1)])
  client.send(frame(type.headers, flag.endHeaders, 1, head), frame(type.data, 0, 1, 'some'))
  await eventually('the request', () => http1Service.requests.length > count)
  const { socket } = http1Service.requests.at(-1)!
  const gone = new Promise((resolve) => socket.once('close', resolve))
  client.send(frame(type.reset, 0, 1, number(8)))
  await gone
  client.socket.destroy()
  await eventually('the log', async () =>
    (await gateway.accessLog()).some(
      ({ code, protocol }) => code === 'client-closed' && protocol === 'HTTP/2',
    ),
  )
})

test('a gateway that stops answers what it was asked, and says goodbye', async () => {
  const service = await startUpstream((_, response) => setTimeout(() => response.end('late'), 300))
  const own = await freePort()
  const stopping = await startGateway({
    config: {
      listeners: [{ host: '127.0.0.1', port: own, protocol: 'http', http2: true }],
      services: [{ name: 'slow', url: service.url }],
      routes: [{ name: 'slow', service: 'slow', paths: ['/'] }],
    },
  })
  const client = connect(`http://127.0.0.1:${own}`)
  const goodbye = once(client, 'goaway')
  const stream = client.request({ ':path': '/' })
  await eventually('the request', () => service.requests.length > 0)
  const stopped = stopping.stop()
  const chunks = await stream.toArray()
  expect(Buffer.concat(chunks).toString()).toBe('late')
  await goodbye
  await stopped
  client.destroy()
  await service.stop()
})
