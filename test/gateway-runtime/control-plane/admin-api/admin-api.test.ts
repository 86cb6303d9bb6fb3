import { readFile, stat, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'

let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = await startGateway({
    config: { services: [{ name: 'base', url: 'http://127.0.0.1:9' }] },
    env: { SECRET_HOST: 'secret.internal' },
  })
  token = (await readFile(join(gateway.stateDirectory, 'admin-token'), 'utf8')).trim()
})

afterAll(() => gateway?.stop())

/** Headers as given: fetch would not let a test set Host or Origin. */
function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests find out
  return new Promise<{ status: number; type: string | undefined; body: any }>((resolve, reject) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    const request = httpRequest(`${gateway.adminUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(text !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
    })
    request.on('error', reject)
    request.on('response', async (response) => {
      const answer = Buffer.concat(await response.toArray()).toString()
      const type = response.headers['content-type']
      resolve({ status: response.statusCode!, type, body: answer === '' ? undefined : JSON.parse(answer) })
    })
    request.end(text)
  })
}

describe('access', () => {
  test('the token is for its owner alone', async () => {
    expect((await stat(join(gateway.stateDirectory, 'admin-token'))).mode & 0o777).toBe(0o600)
    expect(token).toMatch(/^[\w-]{43}$/)
  })

  test.each([
    ['no token', { authorization: '' }, 401, 'unauthorized'],
    ['a wrong token', { authorization: 'Bearer x' }, 401, 'unauthorized'],
    ['a page of another site', { origin: 'http://evil.example' }, 403, 'origin-not-allowed'],
    ['a name that resolves to this address', { host: 'evil.example' }, 403, 'host-not-allowed'],
  ])('%s is refused', async (_, headers, status, code) => {
    const answer = await call('POST', '/services', { name: 'x', url: 'http://x' }, headers)
    expect(answer).toMatchObject({ status, body: { status, code } })
    expect(answer.type).toMatch(/^application\/problem\+json/)
    expect((await call('GET', '/services/x')).status).toBe(404)
  })

  test('a form that a browser posts, a body that is no JSON, and one that is too large are refused', async () => {
    const form = await call('POST', '/services', 'name=x', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(form.status).toBe(415)
    expect((await call('POST', '/services', '{')).status).toBe(400)
    expect((await call('POST', '/services', { name: 'x'.repeat(1_100_000) })).status).toBe(413)
  })
})

describe('entities', () => {
  test('are added, read, replaced, changed in part and deleted', async () => {
    const service = { name: 'orders', url: 'http://127.0.0.1:9/a' }
    expect(await call('POST', '/services', service)).toMatchObject({
      status: 201,
      body: { name: 'orders', protocol: 'http', host: '127.0.0.1', port: 9, path: '/a', retries: 3 },
    })
    expect(await call('POST', '/services', service)).toMatchObject({
      status: 409,
      body: { code: 'entity-exists' },
    })
    const route = { service: 'orders', paths: ['/orders'] }
    expect(await call('PUT', '/routes/orders', route)).toMatchObject({
      status: 201,
      body: { name: 'orders', paths: ['/orders'], service: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) } },
    })
    expect((await call('PUT', '/routes/orders', { ...route, paths: ['/o'] })).status).toBe(200)
    expect(await call('PATCH', '/routes/orders', { methods: ['GET'] })).toMatchObject({
      status: 200,
      body: { paths: ['/o'], methods: ['GET'] },
    })
    expect(await call('GET', '/routes')).toMatchObject({ body: { data: [{ name: 'orders' }], next: null } })
    expect(await call('DELETE', '/services/orders')).toMatchObject({
      status: 409,
      body: { code: 'entity-in-use' },
    })
    expect((await call('DELETE', '/routes/orders')).status).toBe(204)
    expect((await call('DELETE', '/services/orders')).status).toBe(204)
    expect((await call('GET', '/services/orders')).status).toBe(404)
  })

  test('plugins are called by their scope and name', async () => {
    const plugin = { name: 'rate-limiting', service: 'base', config: { limit: 1, period: 'day' } }
    const { body } = await call('POST', '/plugins', plugin)
    const path = `/plugins/${encodeURIComponent('service:base/rate-limiting')}`
    expect((await call('GET', path)).body.id).toBe(body.id)
    expect((await call('GET', `/plugins/${body.id}`)).body.config).toMatchObject({ limit: 1, period: 'day' })
    expect((await call('DELETE', path)).status).toBe(204)
    expect((await call('GET', `/plugins/${body.id}`)).status).toBe(404)
  })

  test('that are wrong are refused with everything that is wrong', async () => {
    const { status, body } = await call('POST', '/services', { name: 'bad name', url: 'ftp://x', retrys: 1 })
    expect(status).toBe(400)
    expect(body.code).toBe('invalid-configuration')
    expect(body.problems.map(({ path }: { path: string }) => path).sort()).toEqual(['name', 'retrys', 'url'])
    expect(body.detail).toContain('did you mean "retries"?')
  })

  test('many changes at once all land', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `many-${index}`)
    const answers = await Promise.all(
      names.map((name) => call('POST', '/services', { name, url: 'http://m' })),
    )
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201))
    const { body } = await call('GET', '/services')
    const listed = body.data.map(({ name }: { name: string }) => name)
    expect(names.every((name) => listed.includes(name))).toBe(true)
    const text = await readFile(join(gateway.configDirectory, 'config.yaml'), 'utf8')
    expect(names.every((name) => text.includes(name))).toBe(true)
  })

  test('a value that comes from the environment is shown as the reference', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
    const url = 'http://${env:SECRET_HOST}:8080'
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
    const shown = { host: '${env:SECRET_HOST}', port: 8080 }
    expect((await call('PUT', '/services/secret', { url })).body).toMatchObject(shown)
    const { body } = await call('GET', '/config')
    expect(JSON.stringify(body)).not.toContain('secret.internal')
    expect(body.services).toContainEqual({ name: 'secret', url })
  })
})

test('POST /routes/explain says which route a request takes, and refuses what is no request', async () => {
  await call('PUT', '/routes/tenant', { service: 'base', paths: ['/t'], headers: { 'X-Tenant': ['~a'] } })
  const asked = { method: 'GET', url: 'http://h/t/1?q', headers: { 'X-Tenant': 'abc' } }
  expect(await call('POST', '/routes/explain', asked)).toMatchObject({
    status: 200,
    body: {
      request: { method: 'GET', host: 'h', path: '/t/1', query: '?q' },
      winner: { route: 'tenant', service: 'base', upstream_path: '/1?q' },
      candidates: [{ route: 'tenant', matches: true, unmet: null }],
      omitted: 0,
    },
  })
  const statusOf = async (headers: Record<string, string>) =>
    (await fetch(`${gateway.url}/t`, { headers })).status
  expect([await statusOf({ 'x-tenant': 'abc' }), await statusOf({ 'x-tenant': 'b' })]).toEqual([502, 404])
  const without = await call('POST', '/routes/explain', { method: 'GET', url: '/t' })
  expect(without.body).toMatchObject({ winner: null, candidates: [{ unmet: 'header x-tenant' }] })
  for (const wrong of [
    {},
    { method: 'GET' },
    { ...asked, uri: '/' },
    { ...asked, url: 'a' },
    { ...asked, method: ' ' },
  ]) {
    expect(await call('POST', '/routes/explain', wrong)).toMatchObject({
      status: 400,
      body: { code: 'malformed-request' },
    })
  }
  await call('DELETE', '/routes/tenant')
})

test('a route that is never reached is told where it is added, in /status, by a reload and in the error log', async () => {
  await call('PUT', '/routes/wide', { service: 'base', paths: ['/w'], priority: 1 })
  const { status, body } = await call('PUT', '/routes/narrow', { service: 'base', paths: ['/w/n'] })
  const message =
    'route "narrow" is never reached: GET http://example.com/w/n goes to "wide", never to "narrow"'
  expect(status).toBe(201)
  expect(body.warnings).toMatchObject([{ message, file: 'config.yaml' }])
  expect((await call('GET', '/status')).body.configuration.warnings).toMatchObject([{ message }])
  expect((await call('POST', '/config/reload')).body.warnings).toMatchObject([{ message }])
  const log = await eventually('the reload in the log', async () => {
    const text = await gateway.errorLog()
    return text.includes('configuration reloaded') && text
  })
  const logged = log.split('\n').filter((line) => line.includes('configuration warning'))
  expect(logged).toEqual([expect.stringContaining('GET http://example.com/w/n goes to')])
  // What was there before is not told again.
  expect(
    (await call('PUT', '/routes/other', { service: 'base', paths: ['/o'] })).body.warnings,
  ).toBeUndefined()
  expect(await call('PUT', '/routes/twin', { service: 'base', paths: ['/o/'] })).toMatchObject({
    status: 400,
    body: {
      code: 'invalid-configuration',
      detail: expect.stringContaining('asks for the same requests as "other"'),
    },
  })
  for (const name of ['narrow', 'wide', 'other']) await call('DELETE', `/routes/${name}`)
  expect((await call('GET', '/status')).body.configuration.warnings).toEqual([])
})

test('a broken file is shown in /status, and changes wait until it is mended', async () => {
  const file = join(gateway.configDirectory, 'broken.yaml')
  await writeFile(file, 'routes: [')
  const status = await eventually('the error', async () => {
    const { body } = await call('GET', '/status')
    return body.configuration.error && body
  })
  expect(status.configuration.error).toMatch(/broken\.yaml:\d+:\d+/)
  expect(status.ready).toBe(true)
  expect(await call('POST', '/services', { name: 'x', url: 'http://x' })).toMatchObject({
    status: 409,
    body: { code: 'files-invalid' },
  })
  await writeFile(file, '# nothing')
  await eventually(
    'the end of it',
    async () => (await call('GET', '/status')).body.configuration.error === null,
  )
})
