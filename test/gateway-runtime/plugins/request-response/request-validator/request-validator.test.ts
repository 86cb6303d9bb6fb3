import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: ['body', 'parameters', 'silent'].map((name) => ({
        name,
        service: 'echo',
        paths: [`/${name}`],
      })),
      plugins: [
        {
          name: 'request-validator',
          route: 'body',
          config: {
            body_schema: {
              type: 'object',
              required: ['item', 'count'],
              properties: {
                item: { type: 'string', pattern: '^[a-z]+$' },
                count: { type: 'integer', minimum: 1 },
              },
              additionalProperties: false,
            },
            max_body: 1_000,
          },
        },
        {
          name: 'request-validator',
          route: 'parameters',
          config: {
            parameters: [
              { in: 'query', name: 'page', required: true, schema: { type: 'integer', minimum: 1 } },
              { in: 'query', name: 'code', schema: { type: 'string', pattern: '^[0-9]{3}$' } },
              { in: 'header', name: 'X-Kind', schema: { enum: ['a', 'b'] } },
            ],
          },
        },
        {
          name: 'request-validator',
          route: 'silent',
          config: { verbose: false, parameters: [{ in: 'header', name: 'x-there', required: true }] },
        },
      ],
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

const post = (body: string, type = 'application/json') =>
  fetch(`${gateway.url}/body`, { method: 'POST', body, headers: { 'content-type': type } })

describe('a body', () => {
  test('that is right goes on', async () => {
    const body = JSON.stringify({ item: 'pen', count: 2 })
    expect(await (await post(body)).json()).toMatchObject({ body })
  })

  test.each([
    ['{"item": "pen"}', "must have required property 'count'"],
    ['{"item": "Pen", "count": 1}', 'body/item must match pattern'],
    ['{"item": "pen", "count": 0}', 'body/count must be >= 1'],
    ['{"item": "pen", "count": 1, "more": 1}', 'must NOT have additional properties'],
    ['{"item": ', 'the body is not JSON'],
    ['', 'the body is not JSON'],
  ])('%s is refused', async (body, detail) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    const problem = (await response.json()) as { code: string; detail: string }
    expect(problem.code).toBe('invalid-request')
    expect(problem.detail).toContain(detail)
  })

  test('of another type or too large is refused', async () => {
    expect((await post('{"item": "pen", "count": 1}', 'text/plain')).status).toBe(400)
    expect((await post(JSON.stringify({ item: 'x'.repeat(1_000), count: 1 }))).status).toBe(413)
  })
})

describe('parameters', () => {
  test.each([
    ['?page=3', {}, 200],
    ['?page=3&code=007', {}, 200],
    ['?page=3', { 'x-kind': 'b' }, 200],
    ['', {}, 400],
    ['?page=0', {}, 400],
    ['?page=three', {}, 400],
    ['?page=3&code=7', {}, 400],
    ['?page=3', { 'x-kind': 'c' }, 400],
  ])('%s with %j gives %d', async (query, headers, status) => {
    const response = await fetch(`${gateway.url}/parameters${query}`, {
      headers: headers as Record<string, string>,
    })
    expect(response.status).toBe(status)
  })

  test('nothing is told where it is not to be', async () => {
    const response = await fetch(`${gateway.url}/silent`)
    expect(await response.json()).toMatchObject({ status: 400, detail: 'The request is not valid.' })
  })
})

test.each([
  [{}, 'say what is validated'],
  [{ body_schema: { type: 'nothing' } }, 'no JSON Schema'],
  [{ body_schema: { type: 'string', pattern: '(?=a)b' } }, 'matching must take linear time'],
])('settings %j are refused', async (config, message) => {
  const result = await gateway.cli('plugins', 'add', 'request-validator', '--config', JSON.stringify(config))
  expect(result.code).toBe(1)
  expect(result.stderr).toContain(message)
})
