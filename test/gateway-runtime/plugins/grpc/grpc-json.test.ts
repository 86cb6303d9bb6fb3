import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { pathTemplate } from '../../../../gateway-runtime/src/plugins/grpc/path-template.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { annotated } from './annotated.ts'
import { type EchoServer, startEcho } from './echo-service.ts'

let folder: string
let server: EchoServer
let gateway: TestGateway

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-json-'))
  const file = join(folder, 'echo.binpb')
  await writeFile(
    file,
    annotated({
      Say: {
        get: '/v1/say/{value}',
        additional: { post: '/v1/say', body: '*', additional: { get: '/v1/files/{value=**}' } },
      },
      Count: { get: '/v1/count' },
      Fail: { get: '/v1/fail' },
    }),
  )
  server = await startEcho()
  gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: `grpc://127.0.0.1:${server.port}` }],
      routes: [{ name: 'echo', service: 'echo', paths: ['/'] }],
      plugins: [{ name: 'grpc-json', config: { descriptor_set: file, body_bytes: 1_000 } }],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  server.stop()
  await rm(folder, { recursive: true })
})

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}${path}`, { headers })
const post = (body: string) => fetch(`${gateway.url}/v1/say`, { method: 'POST', body })

test('fields come from the path and the query', async () => {
  const response = await get('/v1/say/Gr%C3%BC%C3%9Fe', { 'x-own': 'mine' })
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
  expect(await response.json()).toEqual({ value: 'Grüße' })
  expect(server.seen().get('x-own')).toEqual(['mine'])
  expect(await (await get('/v1/files/a/b%20c')).json()).toEqual({ value: 'a/b c' })
  const query = 'loud=true&times=3&tags=a&tags=b&inner.value=within&inner.loud=true'
  expect(await (await get(`/v1/say/x?${query}`)).json()).toEqual({
    value: 'x',
    loud: true,
    times: 3,
    tags: ['a', 'b'],
    inner: { value: 'within', loud: true },
  })
})

test('a body is the message', async () => {
  expect(await (await post('{"value": "x", "inner": {"times": 2}}')).json()).toEqual({
    value: 'x',
    inner: { times: 2 },
  })
})

test('a stream is a line a message, or an event where these are asked for', async () => {
  const lines = await get('/v1/count?value=n')
  expect(lines.headers.get('content-type')).toBe('application/x-ndjson')
  expect(await lines.text()).toBe('{"value":"n"}\n'.repeat(3))
  const events = await get('/v1/count?value=n', { accept: 'text/event-stream' })
  expect(events.headers.get('content-type')).toBe('text/event-stream')
  expect(await events.text()).toBe('data: {"value":"n"}\n\n'.repeat(3))
})

test('a call that fails is a problem with the status of HTTP', async () => {
  const response = await get('/v1/fail')
  expect([response.status, await response.json()]).toMatchObject([
    409,
    { code: 'grpc-already-exists', detail: 'there is one' },
  ])
})

test('what no method has, what cannot be read and what is too long are refused', async () => {
  expect(await (await get('/v1/other')).json()).toMatchObject({ status: 404, code: 'no-method' })
  expect(await (await get('/v1/count?none=1')).json()).toMatchObject({
    status: 400,
    code: 'unreadable-request',
  })
  expect((await get('/v1/count?times=many')).status).toBe(400)
  expect((await post('{"value"')).status).toBe(400)
  expect((await post(' '.repeat(2_000))).status).toBe(413)
})

describe('templates of paths', () => {
  test.each([
    ['/v1/{name=shelves/*}/books/{id}', '/v1/shelves/7/books/8', { name: 'shelves/7', id: '8' }],
    ['/v1/{name=shelves/*}/books/{id}', '/v1/shelves/7/books/', undefined],
    ['/v1/{a.b=**}', '/v1/x/y/z', { 'a.b': 'x/y/z' }],
    ['/v1/books/{id}:archive', '/v1/books/8:archive', { id: '8' }],
    ['/v1/books/{id}:archive', '/v1/books/8', undefined],
    ['/v1/books', '/v1/books', {}],
    ['/v1/books/{id}', '/v1/books/%ff', undefined],
  ])('%s and %s', (template, path, fields) => {
    const found = pathTemplate(template)(path)
    expect(found && Object.fromEntries(found)).toEqual(fields)
  })

  test.each(['v1', '/v1/{a=**}/b', '/v1/{a', '/v1/x{a}', '/v1/{a-b}'])('%s cannot be read', (template) => {
    expect(() => pathTemplate(template)).toThrow(template)
  })
})
