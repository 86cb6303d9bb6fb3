import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { isAuthentication } from '../../../gateway-runtime/src/plugins/authentication-order.ts'
import { plugins } from '../../../gateway-runtime/src/plugins/registry.ts'
import { type AdminCall, adminToken, callAdmin } from '../../support/admin-client.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { startIssuer, type TestIssuer } from '../../support/issuer.ts'
import { type LineCollector, startLineCollector } from '../../support/line-collector.ts'
import { startLoad } from '../../support/load.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { annotated } from './grpc/annotated.ts'
import { type PluginCase, pluginCases } from './plugin-cases.ts'

const limit = 120_000
const apiKey = 'key-of-ada-0123456789'
const rules = `SecRule ARGS "@contains attack" "id:100,phase:2,deny,t:none,msg:'An attack'"\n`
/** Plugins that see no request, only what became of it: they are known by what they write. */
const writers = ['file-log', 'http-log', 'tcp-log', 'udp-log', 'syslog', 'prometheus']

let folder: string
let upstream: Upstream
let collector: Upstream
let lines: LineCollector
let datagrams: Socket
let issuer: TestIssuer
let gateway: TestGateway
let cases: Readonly<Record<string, PluginCase>>
let written = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'every-plugin-'))
  await writeFile(join(folder, 'rules.conf'), rules)
  await writeFile(join(folder, 'echo.binpb'), annotated({ Say: { get: '/v1/say/{value}' } }))
  upstream = await startUpstream()
  collector = await startUpstream((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => {
      written += text
    })
    request.on('end', () => response.end('{}'))
  })
  lines = await startLineCollector()
  datagrams = createSocket('udp4').on('message', (text) => {
    written += text
  })
  await once(datagrams.bind(0, '127.0.0.1'), 'listening')
  issuer = await startIssuer()
  cases = pluginCases({
    folder,
    collectorUrl: collector.url,
    tcpPort: lines.port,
    udpPort: datagrams.address().port,
    issuerUrl: issuer.url,
  })
  const route = (name: string, service: string) => ({ name, service, paths: [`/${name}`] })
  gateway = await startGateway({
    config: {
      workers: 2,
      services: ['near', 'far'].map((name) => ({ name, url: upstream.url })),
      routes: [route('near', 'near'), route('far', 'far'), route('known', 'far')],
      consumers: [{ name: 'ada', credentials: { 'key-auth': [{ key: apiKey }] } }],
      plugins: [{ name: 'key-auth', route: 'known', config: { anonymous: true } }],
    },
  })
}, limit)
afterAll(async () => {
  await gateway?.stop()
  await Promise.all([upstream, collector, lines, issuer].map((server) => server?.stop()))
  datagrams?.close()
  await rm(folder, { recursive: true, force: true })
}, limit)

const call = (path: string, options: AdminCall) =>
  callAdmin(gateway.adminUrl + path, { token: adminToken(gateway), ...options })

interface Probe {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

const near: Probe = { path: '/near' }
const far: Probe = { path: '/far' }
const ofAda: Probe = { path: '/known', headers: { apikey: apiKey } }
const ofNobody: Probe = { path: '/known' }

/** A scope, a request that it is for, and one that it is not for. */
const scopes = [
  ['global', {}, near, undefined],
  ['service', { service: 'near' }, near, far],
  ['route', { route: 'near' }, near, far],
  ['consumer', { consumer: 'ada' }, ofAda, ofNobody],
] as const

let probes = 0

/** What became of a request, whether the plugin saw it, and a word that stands in what plugins write of it. */
async function send(name: string, { path, headers = {} }: Probe) {
  const word = `probe-${++probes}-`
  const asked = { method: 'GET', url: `${gateway.url}${path}/${word}`, headers }
  const { status, body } = await call('/trace', { method: 'POST', body: asked })
  expect({ status, detail: body.detail }).toEqual({ status: 200 })
  const { plugins: seen } = body as { plugins: readonly { plugin: string }[] }
  return { word, status: body.status as number, isSeen: seen.some(({ plugin }) => plugin === name) }
}

async function writtenBy(name: string): Promise<string> {
  if (name === 'file-log') return readFile(join(folder, 'requests.log'), 'utf8').catch(() => '')
  return name === 'tcp-log' ? lines.text() : written
}

const seriesOf = async (route: string) =>
  (await (await fetch(`${gateway.statusUrl}/metrics`)).text()).includes(
    `gatehouse_consumer_requests_total{route="${route}"`,
  )

/** Resolves when the plugin has seen the request that it is for. */
async function isSeen(name: string, probe: Probe, { word, isSeen }: Awaited<ReturnType<typeof send>>) {
  if (!writers.includes(name)) return expect(isSeen).toBe(true)
  if (name === 'prometheus') await eventually('its counts', () => seriesOf(probe.path.slice(1)))
  else await eventually('what it writes', async () => (await writtenBy(name)).includes(word))
}

test('there is a case for each plugin', () => {
  expect(Object.keys(cases).sort()).toEqual([...plugins.keys()].sort())
})

describe.each([...plugins.keys()])('%s is added, changed and removed under load', (name) => {
  const definition = plugins.get(name)!

  test.each(scopes)(
    'at the scope: %s',
    async (scope, owner, inside, outside) => {
      const { first, second, status = 200 } = cases[name]!
      const added = { method: 'POST', body: { name, config: first, ...owner } }
      if (isAuthentication(definition) && scope === 'consumer') {
        const refused = await call('/plugins', added)
        expect(refused.status).toBe(400)
        expect(refused.body.problems).toContainEqual(expect.objectContaining({ path: 'consumer' }))
        return
      }
      const end = startLoad(`${gateway.url}/near/load`, 2)
      const { status: created, body } = await call('/plugins', added)
      expect({ created, body }).toMatchObject({ created: 201 })
      const one = await send(name, inside)
      await isSeen(name, inside, one)
      // Who may do what is decided by the consumer, whom nobody is.
      expect(one.status).toBe(name === 'acl' && scope === 'consumer' ? 403 : status)
      const other = outside && (await send(name, outside))
      if (other) expect(other).toMatchObject({ status: 200, isSeen: false })
      expect(await call(`/plugins/${body.id}`, { method: 'PATCH', body: { config: second } })).toMatchObject({
        status: 200,
        body: { config: second },
      })
      if (!writers.includes(name)) expect((await send(name, inside)).isSeen).toBe(true)
      expect((await call(`/plugins/${body.id}`, { method: 'DELETE' })).status).toBe(204)
      const last = await send(name, inside)
      expect(last).toMatchObject({ status: 200, isSeen: false })
      const answers = await end()
      expect(answers.get(200)).toBeGreaterThan(0)
      const allowed = [200, 400, 401, 403, 404, 418, ...(name === 'request-termination' ? [503] : [])]
      expect([...answers.keys()].filter((answer) => !allowed.includes(answer as number))).toEqual([])
      if (!writers.includes(name) || name === 'prometheus') return
      const text = await writtenBy(name)
      expect([other?.word, last.word].filter((word) => word !== undefined && text.includes(word))).toEqual([])
    },
    limit,
  )
})
