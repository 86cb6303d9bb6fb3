import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { adminToken, callAdmin } from '../../support/admin-client.ts'
import { newAuthority } from '../../support/certificates.ts'
import { startCollector } from '../../support/collector.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { startLineCollector } from '../../support/line-collector.ts'
import { freePorts } from '../../support/ports.ts'
import { temporaryFolders } from '../../support/temporary-folder.ts'

const newFolder = temporaryFolders()
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** A gateway that answers by itself: of what is exported, nothing needs a service. */
async function start(...exports: object[]): Promise<TestGateway> {
  const folder = await newFolder()
  const gateway = await startGateway({
    config: {
      logs: { directory: folder, export: exports.map((one) => ({ interval: 20, ...one })) },
      routes: [{ name: 'away', paths: ['/'], redirect: { host: 'example.com' } }],
    },
  })
  ended.push(gateway.stop)
  return { ...gateway, logDirectory: folder }
}

const ask = async (gateway: TestGateway, ...paths: string[]) => {
  for (const path of paths) await (await fetch(`${gateway.url}${path}`, { redirect: 'manual' })).arrayBuffer()
}
const status = (gateway: TestGateway) =>
  callAdmin(`${gateway.adminUrl}/status`, { token: adminToken(gateway) })

const pathsIn = (lines: readonly string[]) =>
  lines.map((line) => JSON.parse(line)).flatMap(({ path }) => (path === undefined ? [] : [path]))

test('both logs go to a collector over TCP; what it could not take arrives when it is back', async () => {
  const first = await startLineCollector()
  const gateway = await start({ host: '127.0.0.1', port: first.port })
  await ask(gateway, '/one?secret=1')
  await eventually('a line', () => first.text().includes('/one'))
  await eventually('an event', () => first.text().includes('"event":"gateway started"'))
  expect(first.text()).not.toContain('secret')
  await first.stop()
  await ask(gateway, '/two')
  await eventually('a failure', async () => {
    const { body } = await status(gateway)
    return body.log_exports.every(({ problem }: { problem: unknown }) => problem !== null)
  })
  await ask(gateway, '/three', '/four')
  const second = await startLineCollector(first.port)
  ended.push(second.stop)
  await eventually('what waited', () => second.text().includes('/four'), 20_000)
  const paths = pathsIn(second.lines())
  expect(paths.filter((path) => path !== '/one')).toEqual(['/two', '/three', '/four'])
}, 30_000)

test('past its bound, the oldest lines are lost, and counted', async () => {
  const [port] = (await freePorts(1)) as [number]
  const gateway = await start({
    host: '127.0.0.1',
    port,
    logs: ['access'],
    queue_bytes: 65_536,
    batch_lines: 10,
  })
  const long = 'x'.repeat(4_000)
  const paths = Array.from({ length: 40 }, (_, index) => `/${index}-${long}`)
  await ask(gateway, ...paths)
  await eventually('losses', async () => (await status(gateway)).body.log_exports[0].lost > 0, 20_000)
  const collector = await startLineCollector(port)
  ended.push(collector.stop)
  await eventually('the last line', () => collector.text().includes('"/39-'), 20_000)
  const { lost, sent } = (await status(gateway)).body.log_exports[0]
  const arrived = new Set(pathsIn(collector.lines()))
  expect(lost + arrived.size).toBe(40)
  expect(sent).toBeGreaterThanOrEqual(arrived.size)
  expect([...arrived]).toEqual(paths.slice(-arrived.size))
  expect(await readFile(join(gateway.logDirectory, 'error.log'), 'utf8')).toMatch(/lost lines.* lines=\d+/)
  const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  expect(metrics).toContain(`log="access",result="lost"} ${lost}`)
}, 60_000)

test('as syslog over TLS, as JSON over UDP, and as records of OTLP', async () => {
  const authority = await newAuthority()
  const issued = await authority.issue({ dns: ['localhost'] })
  const secured = await startLineCollector(0, { cert: issued.certificate, key: issued.key })
  ended.push(secured.stop)
  const datagrams: string[] = []
  const udp = createSocket('udp4').on('message', (message) => void datagrams.push(message.toString()))
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  ended.push(async () => void udp.close())
  const collector = await startCollector()
  ended.push(collector.stop)
  const ca = join(await newFolder(), 'ca.pem')
  await writeFile(ca, authority.certificate)
  const gateway = await start(
    { protocol: 'tls', host: 'localhost', port: secured.port, format: 'syslog', ca },
    { protocol: 'udp', host: '127.0.0.1', port: udp.address().port },
    { protocol: 'otlp', url: `${collector.url}/v1/logs` },
  )
  await ask(gateway, '/some')
  await eventually('a message', () => secured.text().includes('/some'))
  const message = /(\d+) (<134>1 \S+ \S+ gatehouse \d+ access - (\{[^}]*\}))/.exec(secured.text())!
  expect(Number(message[1])).toBe(Buffer.byteLength(message[2]!))
  expect(JSON.parse(message[3]!)).toMatchObject({ log: 'access', path: '/some', status: 308 })
  await eventually('a datagram', () => datagrams.some((datagram) => JSON.parse(datagram).path === '/some'))
  const record = await eventually('a record', () =>
    collector.logRecords.find(({ body }) => body.stringValue === 'GET /some 308'),
  )
  expect(record).toMatchObject({ severityText: 'info', attributes: { route: 'away', status: 308 } })
  await eventually('an event', () =>
    collector.logRecords.some(({ body }) => body.stringValue === 'gateway started'),
  )
}, 30_000)
