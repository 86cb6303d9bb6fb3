import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type AdminCall, adminToken, callAdmin } from '../../../support/admin-client.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway({
    config: { workers: 2 },
    services: '# ours\nservices:\n  - { name: base, url: http://127.0.0.1:9 } # first\n',
  })
})

afterAll(() => gateway?.stop())

const call = (path: string, options: AdminCall = {}) =>
  callAdmin(`${gateway.adminUrl}${path}`, { token: adminToken(gateway), ...options })
const post = (path: string, body: unknown, headers = {}) => call(path, { method: 'POST', body, headers })

const base = { name: 'base', url: 'http://127.0.0.1:9' }
const statusOf = async (path: string) => (await fetch(gateway.url + path)).status

describe('POST /config', () => {
  test('puts a whole configuration in force in one step, and keeps comments of what stays', async () => {
    const wanted = {
      services: [base, { name: 'other', url: 'http://127.0.0.1:9' }],
      routes: [{ name: 'r', service: 'other', paths: ['/r'] }],
    }
    const dry = await post('/config?dry_run=1', wanted)
    expect(dry).toMatchObject({ status: 200, body: { dry_run: true } })
    const names = dry.body.changes.map(({ entity }: { entity: string }) => entity)
    expect(names.sort()).toEqual(['routes/r', 'services/other'])
    expect(await statusOf('/r')).toBe(404)
    expect(await post('/config', wanted)).toMatchObject({ status: 201, body: { changes: dry.body.changes } })
    expect(await statusOf('/r')).toBe(502)
    const text = await readFile(join(gateway.configDirectory, 'services.yaml'), 'utf8')
    expect(text).toMatch(/^# ours\nservices:\n {2}- \{ name: base, url: http:\/\/127.0.0.1:9 \} # first\n/)
    // Settings that it does not have stay.
    expect((await call('/config')).body.admin).toEqual({ port: gateway.ports.admin })
    expect((await post('/config?check_hash=1', wanted)).status).toBe(304)
    expect((await post('/config?check_hash=1', { services: [base] })).status).toBe(201)
    expect(await statusOf('/r')).toBe(404)
  })

  test('refuses a wrong one with every error and the entity that it belongs to, and changes nothing', async () => {
    const before = await call('/config')
    const { status, body } = await post('/config', {
      services: [base, { name: 'bad', url: 'ftp://x', retrys: 1 }],
      routes: [{ name: 'r', service: 'nowhere', paths: ['~/('] }],
      unknown: true,
    })
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid-configuration' })
    const errors = body.flattened_errors.map(
      ({ entity_type, entity_name, errors }: Record<string, object[]>) =>
        `${entity_type} ${entity_name}: ${errors!.length}`,
    )
    expect(errors.sort()).toEqual(['null null: 1', 'route r: 2', 'service bad: 2'])
    expect((await call('/config')).body).toEqual(before.body)
  })

  test('warns of a route that is never reached, with the request that shows it', async () => {
    const { body } = await post('/config?dry_run', {
      services: [base],
      routes: [
        { name: 'wide', service: 'base', paths: ['/w'], priority: 1 },
        { name: 'narrow', service: 'base', paths: ['/w/n'] },
      ],
    })
    expect(body.warnings).toMatchObject([{ message: expect.stringContaining('GET http://example.com/w/n') }])
  })

  test('changes settings of the node, too', async () => {
    const wanted = { services: [base], limits: { body_bytes: 5 } }
    expect((await post('/config', wanted)).body.changes).toMatchObject([{ entity: 'limits', change: 'add' }])
    const sent = await fetch(gateway.url, { method: 'POST', body: 'more than five' })
    expect([404, 413]).toContain(sent.status)
    expect((await call('/config')).body.limits).toEqual({ body_bytes: 5 })
  })

  test('takes the declarative format of Kong', async () => {
    const answer = await post('/config', {
      _format_version: '3.0',
      services: [
        {
          name: 'kong',
          host: 'pool',
          retries: 5,
          routes: [{ name: 'kong-route', paths: ['/kong'], plugins: [{ name: 'key-auth' }] }],
        },
      ],
      upstreams: [{ name: 'pool', targets: [{ target: '127.0.0.1:9', weight: 5 }] }],
      consumers: [
        { username: 'alice', keyauth_credentials: [{ key: 'alice-key-1' }], acls: [{ group: 'g' }] },
      ],
    })
    expect(answer.status).toBe(201)
    expect(await statusOf('/kong')).toBe(401)
    expect((await fetch(`${gateway.url}/kong`, { headers: { apikey: 'alice-key-1' } })).status).toBe(502)
    expect(JSON.stringify(answer.body)).not.toContain('alice-key-1')
    const refused = await post('/config', { _format_version: '3.0', vaults: [{ name: 'v' }] })
    expect(refused).toMatchObject({ status: 400, body: { fields: { vaults: 'this gateway has no vaults' } } })
    expect((await post('/config', { services: [base] })).status).toBe(201)
  })
})

test('files with code are not for the API to name, and none of them is run to find out', async () => {
  const trace = join(gateway.logDirectory, 'was-run')
  const file = join(gateway.configDirectory, 'own-plugin.ts')
  await writeFile(
    file,
    `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(trace)}, '')\n`,
  )
  for (const path of ['/config', '/config?dry_run=1']) {
    const { status, body } = await post(path, { services: [base], plugin_files: [file] })
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'code-not-permitted' })
  }
  expect(existsSync(trace)).toBe(false)
})

describe('of two admins who change the same at once, one loses clearly', () => {
  test('an entity', async () => {
    const { headers } = await call('/services/base')
    const answers = await Promise.all(
      [1, 2].map((retries) =>
        call('/services/base', {
          method: 'PATCH',
          body: { retries },
          headers: { 'if-match': headers.etag! },
        }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
    const winner = answers.find(({ status }) => status === 200)!
    const loser = answers.find(({ status }) => status === 412)!
    expect(loser.body).toMatchObject({
      code: 'changed-since',
      detail: expect.stringContaining('read it again'),
    })
    expect((await call('/services/base')).body.retries).toBe(winner.body.retries)
    const again = { method: 'DELETE', headers: { 'if-match': headers.etag! } }
    expect((await call('/services/base', again)).status).toBe(412)
  })

  test('the whole', async () => {
    const { headers, body } = await call('/config')
    const tag = { 'if-match': headers.etag! }
    const wanted = (name: string) => ({ services: [...body.services, { name, url: 'http://x' }] })
    const answers = await Promise.all(['one', 'two'].map((name) => post('/config', wanted(name), tag)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 412])
    expect((await call('/config')).body.services).toHaveLength(body.services.length + 1)
  })
})

describe('the history', () => {
  test('has who changed what, and brings a configuration back, files and all', async () => {
    await post('/config', { services: [base] })
    const file = join(gateway.configDirectory, 'services.yaml')
    const text = await readFile(file, 'utf8')
    const [now] = (await call('/config/history')).body.data
    await call('/routes/gone', { method: 'PUT', body: { service: 'base', paths: ['/gone'] } })
    const more = join(gateway.configDirectory, 'more.yaml')
    await writeFile(more, 'services: [{ name: by-hand, url: "http://h" }]')
    const entries = await eventually('the change by hand', async () => {
      const { data } = (await call('/config/history')).body
      return data[0].author.name === 'files' && data
    })
    expect(entries[1]).toMatchObject({
      author: { name: 'admin-token', role: 'admin', via: 'token', peer: '127.0.0.1' },
      request: 'PUT /routes/gone',
      changes: [{ entity: 'routes/gone', change: 'add' }],
    })
    const dry = await post(`/config/history/${now.id}/rollback?dry_run=1`, {})
    expect(dry.body.changes).toHaveLength(2)
    expect(await post(`/config/history/${now.id}/rollback`, {})).toMatchObject({ status: 201 })
    expect(await readFile(file, 'utf8')).toBe(text)
    await expect(readFile(more)).rejects.toThrow('ENOENT')
    expect(await statusOf('/gone')).toBe(404)
    expect((await post('/config/history/9999/rollback', {})).status).toBe(404)
  })

  test('keeps the last 50', async () => {
    for (let retries = 0; retries < 55; retries++) {
      const method = 'PATCH'
      await call('/services/base', { method, body: { retries: retries % 2 === 0 ? 1 : 2 } })
    }
    const { data } = (await call('/config/history')).body
    expect(data).toHaveLength(50)
    expect(data[0].id - data[49].id).toBe(49)
  })
})

test('/openapi.json is an OpenAPI 3.1 document of the paths that there are', async () => {
  const { body } = await call('/openapi.json')
  expect(body.openapi).toBe('3.1.0')
  expect(body.paths['/services/{id}'].put.requestBody.content['application/json'].schema).toEqual({
    $ref: '#/components/schemas/service',
  })
  expect(body.components.schemas.service.properties.connect_timeout).toMatchObject({ default: 5_000 })
  for (const path of Object.keys(body.paths)) {
    if (path.includes('{') || body.paths[path].get === undefined) continue
    expect([path, (await call(path)).status]).toEqual([path, 200])
  }
  expect(body.paths['/trace'].post.requestBody.content['application/json'].schema.required).toEqual([
    'method',
    'url',
  ])
  for (const [path, operations] of Object.entries<object>(body.paths)) {
    for (const method of Object.keys(operations)) {
      if (path === '/drain') continue // the next test
      const { body: answer } = await call(path.replace(/\{\w+\}/g, 'none'), { method: method.toUpperCase() })
      expect([method, path, answer?.code]).not.toEqual([method, path, 'not-found'])
    }
  }
})

test('traces without end are answered: a worker forgets those that are over', async () => {
  for (let request = 0; request < 150; request++) {
    const { status, body } = await post('/trace', { method: 'GET', url: `${gateway.url}/none` })
    expect({ request, status, body }).toMatchObject({ request, status: 200 })
  }
})

test('draining, a gateway is not ready, and says why', async () => {
  const draining = await startGateway()
  try {
    const url = `${draining.adminUrl}/drain`
    const answer = await callAdmin(url, { method: 'POST', token: adminToken(draining) })
    expect(answer).toMatchObject({ status: 202, body: { draining: true } })
    const ready = await fetch(`${draining.statusUrl}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'draining\n'])
  } finally {
    await draining.stop()
  }
})
