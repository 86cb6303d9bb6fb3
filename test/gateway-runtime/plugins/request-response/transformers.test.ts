import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compileJsonOperations,
  jsonOperationsSchema,
} from '../../../../gateway-runtime/src/plugins/request-response/transformer/json-operations.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

const settings = {
  headers: {
    headers: {
      remove: ['x-gone'],
      rename: { 'x-old': 'x-new' },
      replace: { 'x-there': 'replaced', 'x-not-there': 'never' },
      add: { 'x-there': 'never', 'x-who': '{{client.address}} by {{request.method}} on {{route.name}}' },
      append: { 'x-list': '{{header.x-more}}', 'x-empty': '{{header.x-nothing}}' },
    },
    query: { remove: ['secret'], rename: { q: 'query' }, add: { by: '{{query.who}}' } },
  },
  body: {
    body: {
      remove: ['secret', 'a.b.c'],
      rename: { from: 'deep.to' },
      replace: { name: 'replaced', missing: 'never' },
      add: { 'meta.method': '{{request.method}}', 'meta.count': 3, 'meta.flag': null },
    },
    max_body: 1_000,
  },
}

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    if (!request.url?.startsWith('/answer')) {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () =>
        response.end(
          JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }),
        ),
      )
      return
    }
    response.setHeader('content-type', 'application/json')
    response.setHeader('etag', '"one"')
    response.setHeader('x-internal', 'host-7')
    const filler = request.url.includes('long') ? 'x'.repeat(2_000) : ''
    response.write(`{"secret": 1, "kept": [1, 2], `)
    setImmediate(() => response.end(`"filler": "${filler}"}`))
  })
  gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url }],
      routes: ['headers', 'body', 'answer'].map((name) => ({
        name,
        service: 'service',
        paths: [`/${name}`],
        strip_path: false,
      })),
      plugins: [
        ...Object.entries(settings).map(([route, config]) => ({
          name: 'request-transformer',
          route,
          config,
        })),
        {
          name: 'response-transformer',
          route: 'answer',
          config: {
            headers: { remove: ['x-internal'], add: { 'x-route': '{{route.name}}' } },
            body: { remove: ['secret'], add: { by: '{{request.path}}' } },
            max_body: 1_000,
          },
        },
      ],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

describe('request-transformer', () => {
  test('changes headers and query', async () => {
    const headers = { 'x-gone': '1', 'x-old': 'moved', 'x-there': 'was', 'x-list': 'a', 'x-more': 'b' }
    const response = await fetch(`${gateway.url}/headers?secret=1&q=a%20b&who=me`, { headers })
    const seen = (await response.json()) as Echo
    expect(seen.headers).toMatchObject({
      'x-new': 'moved',
      'x-there': 'replaced',
      'x-who': '127.0.0.1 by GET on headers',
      'x-list': 'a, b',
    })
    for (const name of ['x-gone', 'x-old', 'x-not-there', 'x-empty'])
      expect(seen.headers).not.toHaveProperty(name)
    expect(seen.url).toBe('/headers?who=me&query=a+b&by=me')
  })

  const post = async (body: string, type = 'application/json') => {
    const response = await fetch(`${gateway.url}/body`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
    return { status: response.status, seen: (await response.json()) as Echo }
  }

  test('changes a JSON object', async () => {
    const { seen } = await post(
      JSON.stringify({ secret: 1, a: { b: { c: 1, d: 2 } }, from: [1], name: 'was', deep: { kept: 1 } }),
    )
    expect(JSON.parse(seen.body)).toEqual({
      a: { b: { d: 2 } },
      deep: { kept: 1, to: [1] },
      name: 'replaced',
      meta: { method: 'POST', count: 3, flag: null },
    })
    expect(seen.headers['content-length']).toBe(String(Buffer.byteLength(seen.body)))
  })

  test.each([
    ['[1, 2]', 'application/json'],
    ['{"a": ', 'application/json'],
    ['{"secret": 1}', 'text/plain'],
  ])('leaves %s of type %s as it is', async (body, type) => {
    expect((await post(body, type)).seen.body).toBe(body)
  })

  test('refuses a body that is too large to change', async () => {
    expect((await post(JSON.stringify({ a: 'x'.repeat(1_000) }))).status).toBe(413)
  })

  test('never changes more than it was told, nor any prototype', () => {
    const path = fc.array(fc.constantFrom('a', 'b', '__proto__', 'constructor', 'toString'), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(fc.array(path, { maxLength: 5 }), fc.json(), (paths, body) => {
        const given = { add: Object.fromEntries(paths.map((names) => [names.join('.'), 1])) }
        const parsed = jsonOperationsSchema.safeParse(given)
        if (!parsed.success) return
        for (const name of Object.keys(parsed.data.add)) expect(name).not.toMatch(/__proto__|constructor/)
        compileJsonOperations(parsed.data)({} as never, Buffer.from(body))
        expect(({} as Record<string, unknown>).a).toBeUndefined()
      }),
    )
  })

  test.each([
    [{ headers: { add: { 'x-a': '{{nothing.x}}' } } }, 'names nothing that is known of a request'],
    [{ headers: { add: { 'x-a': '{{header' } } }, 'expected {{header.name}}'],
    [{ headers: { add: { 'X-A': '1' } } }, 'lower case'],
  ])('takes no wrong settings: %j', async (config, message) => {
    const result = await gateway.cli(
      'plugins',
      'add',
      'request-transformer',
      '--config',
      JSON.stringify(config),
    )
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(message)
  })
})

describe('response-transformer', () => {
  test('changes headers and JSON object', async () => {
    const response = await fetch(`${gateway.url}/answer`)
    expect(response.headers.get('x-route')).toBe('answer')
    expect(response.headers.has('x-internal')).toBe(false)
    expect(response.headers.has('etag')).toBe(false)
    expect(await response.json()).toEqual({ kept: [1, 2], filler: '', by: '/answer' })
  })

  test('lets a body that is too large pass as it is', async () => {
    const response = await fetch(`${gateway.url}/answer/long`)
    expect(await response.json()).toEqual({ secret: 1, kept: [1, 2], filler: 'x'.repeat(2_000) })
  })
})
