import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { startGateway, type TestGateway } from '../../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../../support/upstream.ts'
import { ordersDocument } from './orders-document.ts'

let upstream: Upstream
let gateway: TestGateway

const validator = (route: string, config: object) => ({ name: 'request-validator', route, config })

beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: `${upstream.url}/base` }],
      routes: ['strict', 'open', 'silent'].map((name) => ({ name, service: 'echo', paths: [`/${name}`] })),
      plugins: [
        validator('strict', { openapi: ordersDocument, base_path: '/base', max_body: 10_000 }),
        validator('open', { openapi: ordersDocument, base_path: '/base', unknown_operations: 'pass' }),
        validator('silent', { openapi: ordersDocument, base_path: '/base', verbose: false }),
      ],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/strict${path}`, { headers })

const post = (path: string, type: string | undefined, body: string) =>
  fetch(`${gateway.url}/strict${path}`, {
    method: 'POST',
    body: Buffer.from(body),
    headers: type === undefined ? {} : { 'content-type': type },
  })

async function expectRefusal(response: Response, detail: string, status = 400) {
  const problem = (await response.json()) as { code: string; detail: string }
  expect({ status: response.status, detail: problem.detail }).toEqual({
    status,
    detail: expect.stringContaining(detail),
  })
}

describe('parameters that are right go on', () => {
  test.each([
    '/orders',
    '/orders?page=3&exact=true&sort=date',
    '/orders?page=&sort=',
    '/orders?ids=1,2,3&size=4%7C5&span=6%207&unknown=1',
    '/orders?tag=a%2Cb&tag=c',
    '/orders?filter[colour]=red&filter[sizes]=1&filter[sizes]=2',
    '/orders?x=1.5&y=-2',
    '/orders?flat=x,1,y,2',
    '/orders?either=5',
    '/orders?either=all',
    '/orders?where=%7B%22a%22%3A1%7D',
    '/orders/12',
    '/orders/latest?n=1',
    '/reports/2024-12.csv',
    '/label/.1,2/.x=1.y=2',
    '/matrix/;ids=1;ids=2/;point=x,1,y,2',
  ])('%s', async (path) => {
    const response = await get(path)
    expect(await response.text()).toContain('"url"')
    expect(response.status).toBe(200)
  })

  test.each([
    { 'x-trace': '0123456789abcdef'.repeat(2) },
    { 'x-ids': '1, 2,3' },
    { 'x-point': 'x=1,y=2' },
    { cookie: 'other=1; theme=dark' },
  ])('%j', async (headers) => {
    expect((await get('/orders', headers)).status).toBe(200)
  })
})

describe('parameters that are wrong are refused', () => {
  test.each([
    ['/orders?page=0', 'query page must be >= 1'],
    ['/orders?page=0x10', 'query page must be integer,null'],
    ['/orders?page=1&page=2', 'query page is given more than once'],
    ['/orders?exact=yes', 'query exact must be boolean'],
    ['/orders?sort=name', 'query sort must be equal to one of the allowed values'],
    ['/orders?ids=1,x', 'query ids/1 must be integer'],
    ['/orders?ids=1,1', 'query ids must NOT have duplicate items'],
    ['/orders?size=1%7C2%7C3%7C4', 'query size must NOT have more than 3 items'],
    ['/orders?span=1+x', 'query span/1 must be integer'],
    ['/orders?tag=a&tag=b&tag=c', 'query tag must NOT have more than 2 items'],
    ['/orders?filter[size]=1', 'query filter must NOT have additional properties'],
    ['/orders?filter[colour]=a&filter[colour]=b', 'query filter/colour must be string'],
    ['/orders?x=1', "query point must have required property 'y'"],
    ['/orders?flat=x,1,y', 'query flat must be fields: names and values by turns'],
    ['/orders?either=4', 'query either must be >= 5'],
    ['/orders?where=%7B', 'query where must be JSON'],
    ['/orders?where=1', 'query where must be object'],
    ['/orders?page=0&exact=yes', 'query page must be >= 1; query exact must be boolean'],
    ['/orders/x', 'path id must be integer'],
    ['/orders/latest', 'query n is missing'],
    ['/reports/1999-12.csv', 'path year must be >= 2000'],
    ['/reports/2024-13.doc', 'path month must be <= 12; path format must be equal'],
    ['/label/1,2/.x=1.y=2', 'path ids must begin with "."'],
    ['/label/.1,2/.x=1', "path point must have required property 'y'"],
    ['/matrix/;id=1/;point=x,1,y,2', 'path ids must begin with ";ids="'],
  ])('%s', async (path, detail) => {
    await expectRefusal(await get(path), detail)
  })

  test.each([
    [{ 'x-trace': 'abc' }, 'header X-Trace must match pattern'],
    [{ 'x-ids': '1,2,3,4' }, 'header X-Ids must NOT have more than 3 items'],
    [{ 'x-point': 'x=1' }, "header X-Point must have required property 'y'"],
    [{ cookie: 'theme=red' }, 'cookie theme must be equal'],
    [{ cookie: 'theme=dark; theme=red' }, 'cookie theme is given more than once'],
  ])('%j', async (headers, detail) => {
    await expectRefusal(await get('/orders', headers as Record<string, string>), detail)
  })

  test('a parameter of an operation takes the place of that of its path', async () => {
    const remove = (id: number) => fetch(`${gateway.url}/strict/orders/${id}`, { method: 'DELETE' })
    expect((await remove(7)).status).toBe(200)
    await expectRefusal(await remove(8), 'path id must be equal to constant')
  })

  test('without a word where none is wanted', async () => {
    const response = await fetch(`${gateway.url}/silent/orders?page=0`)
    expect(await response.json()).toMatchObject({ status: 400, detail: 'The request is not valid.' })
  })
})

describe('bodies', () => {
  const json = 'application/json'
  const form = 'application/x-www-form-urlencoded'
  test.each([
    ['/orders', json, '{"lines": [{"item": "a", "parts": [{"item": "b"}]}]}'],
    ['/orders', 'Application/JSON; charset=utf-8', '{"lines": []}'],
    ['/orders', undefined, ''],
    ['/form', form, 'name=Ann+Lee&age=3&ids=1&ids=2&flat=3,4&point[x]=1&point[y]=2'],
    ['/form', 'text/plain', 'short'],
    ['/form', 'image/png', 'not looked into'],
  ])('%s with %s goes on: %s', async (path, type, body) => {
    const response = await post(path, type, body)
    expect(await response.json()).toMatchObject({ body })
  })

  test.each([
    ['/orders', json, '{"lines": [{"item": "a", "parts": [{}]}]}', 'body/lines/0/parts/0 must have required'],
    ['/orders', json, '{"lines": [], "more": 1}', 'body must NOT have unevaluated properties'],
    [
      '/orders',
      json,
      '{"lines": [{"item": "a", "n": 1}, {"n": 1, "item": "a"}]}',
      'NOT have duplicate items',
    ],
    ['/orders', json, '{"lines"', 'the body is not JSON'],
    ['/orders', json, `${'[{"a":'.repeat(60)}1${'}]'.repeat(60)}`, 'nested more than 100 levels deep'],
    ['/form', form, '', 'the body is missing'],
    ['/form', form, 'name=A', 'body/name must NOT have fewer than 2 characters'],
    ['/form', form, 'name=Ann&name=Lee', 'body/name must be string'],
    ['/form', form, 'name=Ann&age=x', 'body/age must be integer'],
    ['/form', form, 'name=Ann&flat=1&flat=2', 'body/flat is given more than once'],
    ['/form', form, 'name=Ann&point[x]=1', "body/point must have required property 'y'"],
    ['/form', form, 'name=Ann&more=1', 'body must NOT have additional properties'],
    ['/form', 'text/plain', 'too long', 'body must NOT have more than 5 characters'],
  ])('%s with %s is refused: %.60s', async (path, type, body, detail) => {
    await expectRefusal(await post(path, type, body), detail)
  })

  test('of a type that is not described, encoded or too large are refused', async () => {
    await expectRefusal(await post('/orders', 'text/plain', 'a'), 'must be application/json', 415)
    await expectRefusal(await post('/orders', undefined, '{}'), 'Content-Type must say so', 415)
    const encoded = await fetch(`${gateway.url}/strict/orders`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': json, 'content-encoding': 'gzip' },
    })
    expect(encoded.status).toBe(415)
    expect((await post('/orders', json, `{"lines": [${' '.repeat(10_000)}]}`)).status).toBe(413)
  })

  test('that come in pieces are checked too', async () => {
    const send = (text: string) =>
      fetch(`${gateway.url}/strict/orders`, {
        method: 'POST',
        body: new Blob([text]).stream(),
        duplex: 'half',
        headers: { 'content-type': json },
      } as RequestInit)
    expect((await send('{"lines": []}')).status).toBe(200)
    expect((await send('{}')).status).toBe(400)
  })
})

describe('operations that the document does not have', () => {
  test('are refused', async () => {
    expect(await (await get('/nothing')).json()).toMatchObject({ status: 404, code: 'unknown-path' })
    expect((await get('/orders/')).status).toBe(404)
    expect((await get('/orders/1/2')).status).toBe(404)
    const response = await fetch(`${gateway.url}/strict/orders/1`, { method: 'PUT' })
    expect(response.headers.get('allow')).toBe('GET, DELETE')
    expect(await response.json()).toMatchObject({ status: 405, code: 'unknown-method' })
  })

  test('pass where a setting says so', async () => {
    expect((await fetch(`${gateway.url}/open/nothing`)).status).toBe(200)
    expect((await fetch(`${gateway.url}/open/orders/1`, { method: 'PUT' })).status).toBe(200)
    expect((await fetch(`${gateway.url}/open/orders/x`)).status).toBe(400)
  })

  test('but HEAD is as GET', async () => {
    const head = (path: string) => fetch(`${gateway.url}/strict${path}`, { method: 'HEAD' })
    expect((await head('/orders?page=1')).status).toBe(200)
    expect((await head('/orders?page=0')).status).toBe(400)
  })
})

test('lists are read in each style as they were written', async () => {
  const item = fc.oneof(fc.integer({ min: -9, max: 9 }).map(String), fc.constantFrom('x', '1.5', '07', '%31'))
  const write = (style: string, items: string[]): [string, Record<string, string>] => {
    if (style === 'header') return ['/orders', { 'x-ids': items.join(', ') }]
    if (style === 'label') return [`/label/.${items.join(',')}/.x=1.y=2`, {}]
    if (style === 'matrix')
      return [`/matrix/${items.map((one) => `;ids=${one}`).join('')}/;point=x,1,y,2`, {}]
    return [`/orders?${style}=${items.join({ ids: ',', size: '%7C', span: '%20' }[style]!)}`, {}]
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('ids', 'size', 'span', 'header', 'label', 'matrix'),
      fc.array(item, { minLength: 1, maxLength: 4 }),
      async (style, items) => {
        const meant = items.map((one) => (one === '%31' && style !== 'header' ? '1' : one))
        const isRight =
          meant.length <= 3 &&
          new Set(meant).size === meant.length &&
          meant.every((one) => /^-?\d$/.test(one))
        const response = await get(...write(style, items))
        await response.text()
        expect(response.status).toBe(isRight ? 200 : 400)
      },
    ),
    { numRuns: 300 },
  )
})

describe('documents', () => {
  const add = (config: object) =>
    gateway.cli('plugins', 'add', 'request-validator', '--config', JSON.stringify(config))
  const operation = (get: object) => ({ openapi: '3.1.1', paths: { '/a/{b}': { get } } })
  const b = { name: 'b', in: 'path', required: true, schema: {} }

  test.each([
    [{ openapi: '3.0.3', paths: {} }, 'openapi.openapi: expected a document of OpenAPI 3.1'],
    [{ openapi: '3.1.0', paths: { a: {} } }, 'expected a path, which begins with "/"'],
    [{ openapi: '3.1.0', paths: { '/{a}': {}, '/{b}': {} } }, 'another path has the same form'],
    [operation({}), 'no parameter "b" in path'],
    [operation({ parameters: [b, { ...b, name: 'c' }] }), 'the path /a/{b} has no {c}'],
    [operation({ parameters: [{ ...b, style: 'form' }] }), 'cannot have the style form'],
    [operation({ parameters: [{ ...b, schema: undefined }] }), 'either schema or one type in content'],
    [operation({ parameters: [{ ...b, in: 'body' }] }), 'parameters.0.in'],
    [operation({ parameters: [{ ...b, schema: { type: 'text' } }] }), 'no JSON Schema'],
    [operation({ parameters: [{ ...b, schema: { pattern: '(?=a)b' } }] }), 'must take linear time'],
    [operation({ parameters: [{ ...b, schema: { $ref: '#/none' } }] }), "can't resolve reference #/none"],
    [operation({ parameters: [{ $ref: '#/components/parameters/b' }] }), 'what the document does not have'],
    [operation({ parameters: [{ $ref: 'other.yaml#/b' }] }), 'a reference inside the document'],
    [
      { ...operation({ parameters: [b] }), components: { schemas: { s: { minimum: 'x' } } } },
      'no JSON Schema',
    ],
  ])('%j is refused', async (openapi, message) => {
    const result = await add({ openapi })
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(message)
  })

  test('stand beside no other schemas', async () => {
    const result = await add({ openapi: ordersDocument, body_schema: true })
    expect(result.stderr).toContain('leave out body_schema and parameters')
  })

  test('are read from files in YAML and JSON', async () => {
    const files = { 'orders.yaml': stringify(ordersDocument), 'orders.json': JSON.stringify(ordersDocument) }
    for (const [name, text] of Object.entries(files)) {
      const file = join(gateway.stateDirectory, name)
      await writeFile(file, text)
      expect(
        await gateway.cli('routes', 'add', '--name', name, '--service', 'echo', '--paths', `/${name}`),
      ).toMatchObject({
        code: 0,
      })
      const config = JSON.stringify({ openapi: file, base_path: '/base' })
      const added = await gateway.cli(
        'plugins',
        'add',
        'request-validator',
        '--route',
        name,
        '--config',
        config,
      )
      expect(added).toMatchObject({ code: 0 })
      expect((await fetch(`${gateway.url}/${name}/orders?page=1`)).status).toBe(200)
      expect((await fetch(`${gateway.url}/${name}/orders?page=0`)).status).toBe(400)
    }
  })

  test.each([
    ['none.yaml', undefined, 'none.yaml cannot be read: ENOENT'],
    ['broken.yaml', 'paths: {', 'broken.yaml cannot be read: '],
    ['large.yaml', `# ${'x'.repeat(4_194_304)}`, 'large.yaml cannot be read: it has 4194306 bytes'],
    [
      'wrong.yaml',
      'openapi: 3.1.0\npaths: {/a~b: {get: {parameters: 1}}}',
      '#/paths/~1a~0b/get/parameters: ',
    ],
    ['deep.yaml', `a: ${'['.repeat(200)}${']'.repeat(200)}`, 'nested more than 100 levels deep'],
    [
      'bomb.yaml',
      `a: &a [1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(500)}]\nc: [${'*b,'.repeat(500)}]`,
      'Excessive alias count',
    ],
  ])('that cannot be used are refused: %s', async (name, text, message) => {
    const file = join(gateway.stateDirectory, name)
    if (text !== undefined) await writeFile(file, text)
    const result = await add({ openapi: file })
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(message)
  })
})
