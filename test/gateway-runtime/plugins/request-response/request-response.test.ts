import { request as httpRequest, type IncomingMessage } from 'node:http'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { bestCoding } from '../../../../gateway-runtime/src/plugins/request-response/compression.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

const text = 'All of this is text that says the same again and again. '.repeat(100)

/** A route for each setting, so that one gateway does for all tests. */
const settings: Record<string, { name: string; config?: object }> = {
  correlation: { name: 'correlation-id' },
  'correlation-own': {
    name: 'correlation-id',
    config: { header_name: 'x-trace', generator: 'request-id', trust_client: false, echo_downstream: false },
  },
  security: { name: 'security-headers' },
  'security-csp': {
    name: 'security-headers',
    config: { content_security_policy: "script-src {nonce}; object-src 'none'", frame_options: null },
  },
  cors: {
    name: 'cors',
    config: { origins: ['https://shop.example.com', 'https://*.example.org'], credentials: true },
  },
  'cors-any': { name: 'cors', config: { origins: ['*'], headers: ['x-own'], exposed_headers: ['x-count'] } },
  size: { name: 'request-size-limiting', config: { allowed_payload_size: 1_000 } },
  'size-length': {
    name: 'request-size-limiting',
    config: { allowed_payload_size: 1_000, require_content_length: true },
  },
  ended: { name: 'request-termination', config: { message: 'Back at noon.', retry_after: 600 } },
  'ended-page': {
    name: 'request-termination',
    config: { status_code: 200, body: '<h1>Moved</h1>', content_type: 'text/html', trigger: 'x-old' },
  },
  bots: { name: 'bot-detection', config: { deny: ['BadBot'], allow: ['good nmap'], deny_empty: true } },
  compressed: { name: 'compression', config: {} },
}

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    response.setHeader('server', 'secret/1.0')
    if (request.url?.startsWith('/compressed')) {
      const type = new URLSearchParams(request.url.split('?')[1]).get('type') ?? 'text/plain'
      response.writeHead(200, {
        'content-type': type,
        etag: '"one"',
        vary: 'Accept',
        'accept-ranges': 'bytes',
      })
      response.end(request.url.includes('short') ? 'short' : text)
      return
    }
    let size = 0
    request.on('data', (piece: Buffer) => {
      size += piece.length
    })
    request.on('end', () => {
      response.setHeader('x-frame-options', 'ALLOWALL')
      response.end(JSON.stringify({ headers: request.headers, size }))
    })
  })
  gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url }],
      routes: Object.keys(settings).map((name) => ({
        name,
        service: 'service',
        paths: [`/${name}/`],
        strip_path: false,
      })),
      plugins: Object.entries(settings).map(([route, plugin]) => ({ ...plugin, route })),
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

const ask = (route: string, options: RequestInit = {}) => fetch(`${gateway.url}/${route}/`, options)
const headersAtService = async (response: Response) =>
  ((await response.json()) as { headers: Record<string, string> }).headers

describe('correlation-id', () => {
  test('gives an id and a trace, the same to the service and the client', async () => {
    const response = await ask('correlation')
    const id = response.headers.get('x-correlation-id')
    const seen = await headersAtService(response)
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(seen['x-correlation-id']).toBe(id)
    expect(seen.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  })

  test('passes on what is valid, and nothing else', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const good = await ask('correlation', {
      headers: { 'x-correlation-id': 'mine', traceparent, tracestate: 'a=1' },
    })
    expect(good.headers.get('x-correlation-id')).toBe('mine')
    expect(await headersAtService(good)).toMatchObject({ traceparent, tracestate: 'a=1' })
    const bad = await ask('correlation', {
      headers: { 'x-correlation-id': 'a b', traceparent: '00-0-0-0', tracestate: 'a=1' },
    })
    const seen = await headersAtService(bad)
    expect(seen['x-correlation-id']).not.toBe('a b')
    expect(seen.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    expect(seen).not.toHaveProperty('tracestate')
  })

  test('takes the id of the gateway where it is told to', async () => {
    const response = await ask('correlation-own', { headers: { 'x-trace': 'mine' } })
    const seen = await headersAtService(response)
    expect(seen['x-trace']).toBe(response.headers.get('x-request-id'))
    expect(response.headers.has('x-trace')).toBe(false)
  })
})

describe('security-headers', () => {
  test('protect, in the place of what the service says, and hide the server', async () => {
    const { headers } = await ask('security')
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'strict-origin-when-cross-origin',
      'cross-origin-opener-policy': 'same-origin',
    })
    expect(headers.has('server')).toBe(false)
    expect(headers.has('strict-transport-security')).toBe(false) // not without TLS
  })

  test('make a nonce for each answer', async () => {
    const nonces = new Set<string>()
    for (let round = 0; round < 3; round++) {
      const response = await ask('security-csp')
      const nonce = (await headersAtService(response))['x-csp-nonce']!
      expect(response.headers.get('content-security-policy')).toBe(
        `script-src 'nonce-${nonce}'; object-src 'none'`,
      )
      expect(response.headers.get('x-frame-options')).toBe('ALLOWALL')
      nonces.add(nonce)
    }
    expect(nonces.size).toBe(3)
  })
})

describe('cors', () => {
  const preflight = (route: string, origin: string, headers: Record<string, string> = {}) =>
    ask(route, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PUT', ...headers },
    })

  test.each(['https://shop.example.com', 'https://a.example.org', 'https://a.b.example.org'])(
    'lets pages of %s in',
    async (origin) => {
      const answer = await preflight('cors', origin, { 'access-control-request-headers': 'x-one, x-two' })
      expect(answer.status).toBe(204)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': 'x-one, x-two',
        'access-control-max-age': '600',
        vary: 'Origin',
      })
      const used = await ask('cors', { headers: { origin } })
      expect(used.headers.get('access-control-allow-origin')).toBe(origin)
      expect(await headersAtService(used)).toHaveProperty('origin', origin)
    },
  )

  test.each([
    'https://shop.example.com.evil.test',
    'http://shop.example.com',
    'https://example.org',
    'https://evil.test/.example.org',
    'https://evil.test?.example.org',
    'null',
  ])('tells pages of %s nothing', async (origin) => {
    for (const response of [await preflight('cors', origin), await ask('cors', { headers: { origin } })]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(response.headers.get('vary')).toBe('Origin')
    }
  })

  test('lets all in where it is told to, without credentials', async () => {
    const answer = await preflight('cors-any', 'https://any.test', {
      'access-control-request-headers': 'x-other',
    })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-allow-headers')).toBe('x-own')
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false)
    const used = await ask('cors-any', { headers: { origin: 'https://any.test' } })
    expect(used.headers.get('access-control-expose-headers')).toBe('x-count')
  })
})

describe('request-size-limiting', () => {
  const chunked = (size: number) =>
    ({ method: 'POST', body: new Blob(['x'.repeat(size)]).stream(), duplex: 'half' }) as RequestInit

  test('refuses what is too large, however it comes', async () => {
    const small = await ask('size', { method: 'POST', body: 'x'.repeat(1_000) })
    expect(await small.json()).toMatchObject({ size: 1_000 })
    expect((await ask('size', { method: 'POST', body: 'x'.repeat(1_001) })).status).toBe(413)
    expect(await (await ask('size', chunked(1_000))).json()).toMatchObject({ size: 1_000 })
    expect((await ask('size', chunked(100_000))).status).toBe(413)
  })

  test('refuses what does not say its length, where it is told to', async () => {
    expect((await ask('size-length', chunked(10))).status).toBe(411)
    expect((await ask('size-length')).status).toBe(200)
  })
})

describe('request-termination', () => {
  test('answers with a problem', async () => {
    const response = await ask('ended')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('600')
    expect(await response.json()).toMatchObject({ code: 'terminated', detail: 'Back at noon.' })
  })

  test('answers with a body, to requests that have the trigger', async () => {
    expect(await (await ask('ended-page')).json()).toHaveProperty('headers')
    const byHeader = await ask('ended-page', { headers: { 'x-old': '1' } })
    expect(byHeader.headers.get('content-type')).toBe('text/html')
    expect(await byHeader.text()).toBe('<h1>Moved</h1>')
    const byQuery = await fetch(`${gateway.url}/ended-page/?x-old=`)
    expect(await byQuery.text()).toBe('<h1>Moved</h1>')
  })
})

describe('bot-detection', () => {
  test.each([
    ['sqlmap/1.7', 403],
    ['Mozilla/5.0 (compatible; badbot/2)', 403],
    ['a good nmap', 200],
    ['Mozilla/5.0', 200],
    ['', 403],
  ])('with User-Agent %p answers %d', async (agent, status) => {
    expect((await ask('bots', { headers: { 'user-agent': agent } })).status).toBe(status)
  })
})

describe('compression', () => {
  /** fetch would unpack it. */
  const get = (path: string, accepted: string) =>
    new Promise<{ headers: IncomingMessage['headers']; body: Buffer }>((resolve, reject) => {
      const options = { headers: { 'accept-encoding': accepted } }
      const outgoing = httpRequest(`${gateway.url}/compressed/${path}`, options, (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(pieces) }))
      })
      outgoing.on('error', reject).end()
    })

  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['gzip;q=0.5, br', 'br', brotliDecompressSync],
    ['gzip, br, zstd', 'zstd', zstdDecompressSync],
    ['*', 'zstd', zstdDecompressSync],
  ] as const)('for Accept-Encoding %p takes %s', async (accepted, coding, unpack) => {
    const { headers, body } = await get('', accepted)
    expect(headers['content-encoding']).toBe(coding)
    expect(headers.vary).toBe('Accept, Accept-Encoding')
    expect(headers.etag).toBe('W/"one"')
    expect(headers).not.toHaveProperty('accept-ranges')
    expect(body.length).toBeLessThan(text.length / 5)
    expect(unpack(body).toString()).toBe(text)
  })

  test.each([
    ['', 'identity'],
    ['', 'gzip;q=0, *;q=0'],
    ['?type=image/png', 'gzip'],
  ])('leaves %p as it is for Accept-Encoding %p', async (path, accepted) => {
    const { headers, body } = await get(path, accepted)
    expect(headers).not.toHaveProperty('content-encoding')
    expect(headers.etag).toBe('"one"')
    expect(body.toString()).toBe(text)
  })

  test('takes a coding that the client gave a weight above 0, and the best of them', () => {
    const offer = ['zstd', 'br', 'gzip'] as const
    const weight = fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000)
    fc.assert(
      fc.property(fc.record({ zstd: weight, br: weight, gzip: weight }), (weights) => {
        const accepted = Object.entries(weights).map(([name, value]) => `${name};q=${value}`)
        const chosen = bestCoding(accepted.join(', '), offer)
        const highest = Math.max(...Object.values(weights))
        if (highest === 0) expect(chosen).toBeUndefined()
        else expect(weights[chosen!]).toBe(highest)
      }),
    )
    fc.assert(fc.property(fc.string(), (accepted) => void bestCoding(accepted, offer)))
  })
})
