import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile, loadConfiguration } from '@gatehouse/gateway-runtime/config'
import { afterEach, expect, test } from '@jest/globals'
import { type AdminCall, adminToken, callAdmin } from '../../support/admin-client.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { startLoad } from '../../support/load.ts'
import { startUpstream } from '../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** More than are usual in a test: `GATEHOUSE_CHANGES=10000 npm test -- many-changes`. */
const changes = Number(process.env.GATEHOUSE_CHANGES ?? 200)

async function start(): Promise<TestGateway> {
  const upstream = await startUpstream((_request, response) => void response.end('ok'))
  ended.push(upstream.stop)
  const gateway = await startGateway({
    config: {
      workers: 2,
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'always', service: 'echo', paths: ['/always'] }],
    },
  })
  ended.push(gateway.stop)
  await eventually('its start', async () => (await gateway.errorLog()).includes('gateway started'))
  return gateway
}

const call = (gateway: TestGateway, path: string, options: AdminCall = {}) =>
  callAdmin(`${gateway.adminUrl}${path}`, { token: adminToken(gateway), ...options })

const residentBytes = async (gateway: TestGateway) => {
  const page = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(/^gatehouse_process_resident_memory_bytes (\d+)/m.exec(page)?.[1])
}

test(
  'changes one after another, under load: each is in the files and on all workers when it is answered, no request lost',
  async () => {
    const gateway = await start()
    const end = startLoad(`${gateway.url}/always`)
    const memory: number[] = []
    for (let change = 0; change < changes; change++) {
      const path = `/routes/moving-${change % 5}`
      const body = { service: { name: 'echo' }, paths: [`/${change}`] }
      const { status } = await call(gateway, path, { method: 'PUT', body })
      expect([200, 201]).toContain(status)
      const { body: now } = await call(gateway, '/status')
      const held = now.workers.map(({ snapshot }: { snapshot: string }) => snapshot)
      const stored = compile(loadConfiguration(gateway.configDirectory).configuration).version
      expect(held).toEqual([stored, stored])
      expect((await fetch(`${gateway.url}/${change}`)).status).toBe(200)
      if (change % Math.ceil(changes / 10) === 0) memory.push(await residentBytes(gateway))
    }
    const answers = await end()
    expect([...answers.keys()]).toEqual([200])
    if (process.env.GATEHOUSE_CHANGES) {
      const resident = memory.map((bytes) => Math.round(bytes / 1_048_576)).join(', ')
      process.stderr.write(
        `${changes} changes beside ${answers.get(200)} requests; MiB resident: ${resident}\n`,
      )
    }
    // What it takes to warm up is over by the middle.
    const middle = memory[Math.floor(memory.length / 2)]!
    expect(memory.at(-1)!).toBeLessThan(middle * 1.5)
    expect((await call(gateway, '/config/history')).body.data).toHaveLength(Math.min(changes + 1, 50))
  },
  60_000 + changes * 500,
)

test('its folder gone, a gateway goes on, refuses changes clearly, and is well when it is back', async () => {
  const gateway = await start()
  const away = `${gateway.configDirectory}-away`
  const token = adminToken(gateway)
  await rename(gateway.configDirectory, away)
  const end = startLoad(`${gateway.url}/always`)
  const put = () =>
    callAdmin(`${gateway.adminUrl}/services/new`, {
      token,
      method: 'PUT',
      body: { url: 'http://127.0.0.1:9' },
    })
  const refused = await put()
  expect(refused.status).toBeGreaterThanOrEqual(400)
  expect(refused.body.detail).toMatch(/config/)
  expect([...(await end()).keys()]).toEqual([200])
  await rename(away, gateway.configDirectory)
  await eventually('a change', async () => (await put()).status === 201)
}, 60_000)

test('its files deleted, a gateway goes on, says so, and takes back what it tells itself', async () => {
  const gateway = await start()
  const { body: before } = await call(gateway, '/status')
  const kept = (await gateway.cli('config', 'export')).stdout
  for (const file of await readdir(gateway.configDirectory)) {
    if (file !== '.state') await rm(join(gateway.configDirectory, file))
  }
  const configuration = async () => (await call(gateway, '/status')).body.configuration
  await eventually('word of it', async () => (await configuration()).error)
  const put = () => call(gateway, '/services/new', { method: 'PUT', body: { url: 'http://127.0.0.1:9' } })
  expect((await put()).status).toBeGreaterThanOrEqual(400)
  expect((await call(gateway, '/status')).body.snapshot).toBe(before.snapshot)
  expect((await fetch(`${gateway.url}/always`)).status).toBe(200)
  await eventually('a line of it', async () =>
    /configuration rejected; the one before stays in force/.test(await gateway.errorLog()),
  )

  await writeFile(join(gateway.configDirectory, 'config.yaml'), kept)
  await eventually('an end of it', async () => (await configuration()).error === null)
  expect((await call(gateway, '/status')).body.snapshot).toBe(before.snapshot)
  expect((await put()).status).toBe(201)
}, 60_000)
