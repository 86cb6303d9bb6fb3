import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const rules = `
SecAction "id:1,phase:1,pass,nolog,setvar:tx.anomaly_score=0"
SecRule ARGS|REQUEST_BODY "@contains attack" "id:100,phase:2,block,t:none,t:lowercase,msg:'An attack',\
severity:'CRITICAL',setvar:'tx.anomaly_score=+5'"
SecRule RESPONSE_STATUS "@streq 201" "id:300,phase:3,deny,msg:'A header'"
SecRule RESPONSE_BODY "@contains ora-0001" "id:400,phase:4,deny,t:none,t:lowercase,msg:'A leak'"
SecRule TX:anomaly_score "@ge %{tx.inbound_anomaly_score_threshold}" "id:900,phase:2,deny,nolog"
`

let folder: string
let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waf-plugin-'))
  await writeFile(join(folder, 'rules.conf'), rules)
  upstream = await startUpstream((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const body = Buffer.concat(pieces)
      if (request.headers['x-encoding'] !== 'gzip') {
        const status = Number(request.headers['x-status'] ?? 200)
        return response
          .writeHead(status, { 'content-type': String(request.headers['x-type'] ?? 'text/plain') })
          .end(body)
      }
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' })
      response.end(gzipSync(body))
    })
  })
  const routes: Record<string, object> = {
    block: { body_bytes: 1_000 },
    large: { body_bytes: 8_000_000, inline_bytes: 1_000, large_time_budget: 5_000 },
    answers: { inspect_responses: true, response_bytes: 100_000 },
    detect: { mode: 'detect' },
    lenient: { body_bytes: 1_000, on_failure: 'allow' },
    excluded: {
      exclusions: [
        { route: 'excluded', parameters: ['free'] },
        { rules: [100], path: '/excluded/free/' },
      ],
    },
  }
  gateway = await startGateway({
    config: {
      services: [{ name: 'service', url: upstream.url }],
      routes: Object.keys(routes).map((name) => ({
        name,
        service: 'service',
        paths: [`/${name}/`],
        strip_path: false,
      })),
      plugins: Object.entries(routes).map(([route, config]) => ({
        name: 'waf',
        route,
        config: { rules: folder, time_budget: 10_000, ...config },
      })),
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
  await rm(folder, { recursive: true })
})

const ask = (path: string, options: RequestInit = {}) => fetch(`${gateway.url}${path}`, options)
const post = (path: string, body: string, type = 'text/plain') =>
  ask(path, { method: 'POST', body, headers: { 'content-type': type } })

test('ordinary requests pass, their bodies unchanged', async () => {
  expect((await ask('/block/?a=1')).status).toBe(200)
  const response = await post('/block/', '{"a": 1}', 'application/json')
  expect(await response.text()).toBe('{"a": 1}')
})

test('an attack gets 403, which tells nothing of the rule; the error log tells it', async () => {
  const response = await ask('/block/?a=ATTACK')
  expect(response.status).toBe(403)
  const problem = await response.text()
  expect(JSON.parse(problem)).toMatchObject({ code: 'waf-blocked' })
  expect(problem).not.toContain('An attack')
  const line = await eventually('the hit in error.log', async () =>
    (await gateway.errorLog()).split('\n').find((text) => text.includes('waf-hit')),
  )
  for (const part of ['100', 'ARGS:a', 'attack']) expect(line).toContain(part)
})

test('an attack in a body gets 403', async () => {
  expect((await post('/block/', '{"a": "\\u0061ttack"}', 'application/json')).status).toBe(403)
  expect((await post('/block/', 'a=att%61ck', 'application/x-www-form-urlencoded')).status).toBe(403)
  expect((await post('/block/', 'the attack')).status).toBe(403)
})

test('mode detect lets it pass', async () => {
  expect((await ask('/detect/?a=attack')).status).toBe(200)
})

test('a body that cannot be read gets 400, one that is too long 413, unless the settings let them pass', async () => {
  expect((await post('/block/', '{"a": ', 'application/json')).status).toBe(400)
  expect((await post('/block/', 'x'.repeat(1_001))).status).toBe(413)
  expect((await post('/lenient/', '{"a": ', 'application/json')).status).toBe(200)
  const long = await post('/lenient/', 'x'.repeat(1_001))
  expect([long.status, (await long.text()).length]).toEqual([200, 1_001])
})

test('what is excluded is not looked at', async () => {
  expect((await ask('/excluded/?free=attack')).status).toBe(200)
  expect((await ask('/excluded/?other=attack')).status).toBe(403)
  expect((await ask('/excluded/free/?other=attack')).status).toBe(200)
})

test('a large body is looked at whole, to its last byte', async () => {
  const long = `${'x '.repeat(2_000_000)}`
  const clean = await post('/large/', long)
  expect([clean.status, (await clean.text()).length]).toEqual([200, long.length])
  expect((await post('/large/', `${long}attack`)).status).toBe(403)
})

describe('answers', () => {
  const answer = (body: string, headers: Record<string, string> = {}) =>
    ask('/answers/', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/octet-stream', ...headers },
    })

  test('that are harmless pass as they are', async () => {
    const response = await answer('all is well')
    expect([response.status, await response.text()]).toEqual([200, 'all is well'])
  })

  test('that leak are held back, in whatever encoding', async () => {
    for (const headers of [{}, { 'x-encoding': 'gzip' }] as Record<string, string>[]) {
      const response = await answer('Error: ORA-0001 in line 7', headers)
      expect(response.status).toBe(502)
      const problem = await response.text()
      expect(JSON.parse(problem)).toMatchObject({ code: 'waf-response-blocked' })
      expect(problem).not.toContain('ORA')
    }
  })

  test('are held back by their heads', async () => {
    expect((await answer('made', { 'x-status': '201' })).status).toBe(502)
  })

  test('of other types pass unread, longer ones fail closed', async () => {
    const picture = await answer(`ORA-0001${'x'.repeat(200_000)}`, { 'x-type': 'image/png' })
    expect([picture.status, (await picture.text()).length]).toEqual([200, 200_008])
    const long = await answer('x'.repeat(200_000))
    expect([long.status, await long.json()]).toMatchObject([502, { code: 'waf-response-not-inspected' }])
  })

  test('are not looked at unless the settings say so', async () => {
    const response = await post('/large/', 'ORA-0001', 'application/octet-stream')
    expect(await response.text()).toBe('ORA-0001')
  })
})

test('rules that are not there are said with what to do', async () => {
  const config = {
    services: [{ name: 'service', url: upstream.url }],
    routes: [{ name: 'any', service: 'service', paths: ['/'] }],
    plugins: [{ name: 'waf', config: { rules: join(folder, 'absent') } }],
  }
  await expect(startGateway({ config })).rejects.toThrow(
    /absent is not there; install the package modsecurity-crs/,
  )
})
