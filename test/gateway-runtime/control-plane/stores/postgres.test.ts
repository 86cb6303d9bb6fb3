import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect } from '@jest/globals'
import { startGatewayProcess } from '../../../../scripts/process/gateway.ts'
import { type Postgres, startPostgres } from '../../../../scripts/process/postgres.ts'
import { type AdminCall, adminToken, callAdmin } from '../../../support/admin-client.ts'
import { newAuthority } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { programForTests } from '../../../support/test-program.ts'

const { test } = await programForTests('pg_createcluster')
const ended: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(nodes: number): Promise<{ postgres: Postgres; gateways: TestGateway[] }> {
  const postgres = await startPostgres()
  ended.push(() => postgres.stop())
  const config = { store: 'postgres', postgres: { url: postgres.url, timeout: '2s' } }
  const gateways: TestGateway[] = []
  for (let node = 0; node < nodes; node++) {
    const gateway = await startGateway({ config })
    gateways.push(gateway)
    ended.push(() => gateway.stop())
  }
  return { postgres, gateways }
}

const call = (gateway: TestGateway, path: string, options: AdminCall = {}) =>
  callAdmin(`${gateway.adminUrl}${path}`, { token: adminToken(gateway), ...options })
const put = (gateway: TestGateway, path: string, body: object, headers = {}) =>
  call(gateway, path, { method: 'PUT', body, headers })
const service = { url: 'http://127.0.0.1:9' }
const has = (gateway: TestGateway, path: string) => async () => (await call(gateway, path)).status === 200

test('what is changed on one node is in force on all, and nothing of it is in their folders', async () => {
  const { postgres, gateways } = await start(2)
  const [one, two] = gateways as [TestGateway, TestGateway]
  expect((await put(one, '/services/a', service)).status).toBe(201)
  expect((await put(one, '/routes/r', { service: 'a', paths: ['/r'] })).status).toBe(201)
  await eventually('the route on the other node', has(two, '/routes/r'))
  expect((await fetch(`${two.url}/r`)).status).toBe(502)
  expect(await readFile(join(one.configDirectory, 'config.yaml'), 'utf8')).not.toContain('routes')

  // A key goes to all nodes, too, and to no file but the copy, which is for the owner alone.
  const issued = await (await newAuthority()).issue({ dns: ['a.example.com'] })
  const answer = await put(two, '/certificates/c', { cert: issued.certificate, key: issued.key })
  expect(answer.status).toBe(201)
  await eventually('the certificate', has(one, '/certificates/c'))
  expect((await call(one, '/certificates/c')).body.key).toBe(issued.key)
  expect((await stat(join(one.stateDirectory, 'postgres-copy.json'))).mode & 0o777).toBe(0o600)
  const { rows } = await postgres.query('select max(revision) as revision from gatehouse_configuration')
  expect(rows).toEqual([{ revision: '3' }])
}, 120_000)

test('changes of two nodes at once all land; of one entity with If-Match, one loses clearly', async () => {
  const { gateways } = await start(2)
  const names = Array.from({ length: 6 }, (_, index) => `s${index}`)
  const answers = await Promise.all(
    names.map((name, index) => put(gateways[index % 2]!, `/services/${name}`, service)),
  )
  expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201))
  for (const gateway of gateways) {
    await eventually('all services', async () => (await call(gateway, '/services')).body.data.length === 6)
  }
  const { headers } = await call(gateways[0]!, '/services/s0')
  const match = { 'if-match': headers.etag! }
  const both = await Promise.all(
    gateways.map((gateway, retries) => put(gateway, '/services/s0', { ...service, retries }, match)),
  )
  expect(both.map(({ status }) => status).sort()).toEqual([200, 412])
}, 120_000)

test('Postgres killed and started again: traffic goes on, changes are refused clearly, nothing is lost', async () => {
  const { postgres, gateways } = await start(2)
  const [one, two] = gateways as [TestGateway, TestGateway]
  await put(one, '/services/a', service)
  await put(one, '/routes/r', { service: 'a', paths: ['/r'] })
  await eventually('the route', has(two, '/routes/r'))

  // Mid-write: what was confirmed is there afterwards, what was not is either there or was refused.
  const writes = Array.from({ length: 8 }, (_, index) => put(one, `/services/w${index}`, service))
  await Promise.race(writes)
  await postgres.kill()
  const results = await Promise.all(writes)
  expect((await fetch(`${one.url}/r`)).status).toBe(502)
  const refused = await put(one, '/services/late', service)
  expect(refused).toMatchObject({ status: 503, body: { code: 'store-unreachable' } })
  expect((await call(one, '/status')).body.configuration).toMatchObject({
    store: 'postgres',
    store_reachable: false,
  })
  expect((await call(one, '/services/late')).status).toBe(404)

  // A node starts with its copy while the database is away.
  await one.process.stop()
  const again = await startGatewayProcess({
    command: [process.execPath, join(import.meta.dirname, '../../../../gateway-runtime/src/gateway.ts')],
    configDirectory: one.configDirectory,
    stateDirectory: one.stateDirectory,
    statusPort: one.ports.status,
  })
  ended.push(() => again.stop())
  expect((await fetch(`${one.url}/r`)).status).toBe(502)

  await postgres.start()
  const changed = async () => (await put(one, '/services/after', service)).status === 201
  await eventually('a change', changed, 15_000)
  await eventually('the change on the other node', has(two, '/services/after'), 15_000)
  for (const gateway of gateways) {
    const { data } = (await call(gateway, '/services')).body
    const names = data.map(({ name }: { name: string }) => name)
    const confirmed = results.flatMap(({ status }, index) => (status === 201 ? [`w${index}`] : []))
    expect(names).toEqual(expect.arrayContaining(['a', 'after', ...confirmed]))
  }
  expect(await one.errorLog()).toMatch(/Postgres cannot be reached; the configuration in force stays/)
}, 180_000)

test('without Postgres, a copy and a history, a node says why it does not start', async () => {
  const { gateways } = await start(1)
  const [gateway] = gateways as [TestGateway]
  await gateway.process.stop()
  await rename(join(gateway.stateDirectory, 'postgres-copy.json'), join(gateway.stateDirectory, 'gone'))
  await rename(join(gateway.stateDirectory, 'history'), join(gateway.stateDirectory, 'gone-too'))
  const path = join(gateway.configDirectory, 'config.yaml')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/url: .*/, 'url: postgres://gateway@127.0.0.1:1/x'))
  const started = startGatewayProcess({
    command: [process.execPath, join(import.meta.dirname, '../../../../gateway-runtime/src/gateway.ts')],
    configDirectory: gateway.configDirectory,
    stateDirectory: gateway.stateDirectory,
    statusPort: gateway.ports.status,
  })
  await expect(started).rejects.toThrow(/Postgres cannot be reached .* no copy of its configuration/)
}, 120_000)
