import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile, loadConfiguration } from '@gatehouse/gateway-runtime/config'
import { afterEach, expect } from '@jest/globals'
import { type AdminCall, adminToken, callAdmin } from '../../support/admin-client.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { mountSmallDisk, testWithDisk } from '../../support/small-disk.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

testWithDisk(
  'the disk full, a gateway goes on, refuses changes clearly and half-applies none, and is well when there is room',
  async () => {
    const disk = await mountSmallDisk(4_096)
    ended.push(() => disk.remove())
    const redirect = { host: 'example.com' }
    const gateway = await startGateway({
      within: disk.path,
      config: { routes: [{ name: 'away', paths: ['/away'], redirect }] },
      services: { services: [{ name: 'one', url: 'http://127.0.0.1:9' }] },
    })
    ended.push(() => gateway.stop())
    await eventually('its start', async () => (await gateway.errorLog()).includes('gateway started'))
    const token = adminToken(gateway)
    const call = (path: string, options: AdminCall = {}) =>
      callAdmin(`${gateway.adminUrl}${path}`, { token, ...options })
    const ask = async (path: string) => (await fetch(`${gateway.url}${path}`, { redirect: 'manual' })).status
    const files = async () => {
      const names = (await readdir(gateway.configDirectory)).filter((name) => name !== '.state').sort()
      const texts = names.map((name) => readFile(join(gateway.configDirectory, name), 'utf8'))
      return Object.fromEntries((await Promise.all(texts)).map((text, index) => [names[index], text]))
    }
    const before = await files()
    expect(Object.keys(before)).toEqual(['config.yaml', 'services.yaml'])
    const { body: shown } = await call('/config')

    await disk.fill()
    // Both files are others then: neither is written.
    const hosts = Array.from({ length: 500 }, (_, index) => `host-${index}.example.com`)
    const wanted = {
      ...shown,
      services: [{ ...shown.services[0], retries: 1 }],
      routes: [
        ...shown.routes,
        { name: 'new', paths: ['/new'], redirect },
        { name: 'large', hosts, redirect },
      ],
    }
    const refused = await call('/config', { method: 'POST', body: wanted })
    expect(refused).toMatchObject({ status: 500, body: { code: 'configuration-not-written' } })
    expect(refused.body.detail).toMatch(/taken back.*(no space|ENOSPC)/i)
    expect(await files()).toEqual(before)
    expect([await ask('/away'), await ask('/new')]).toEqual([308, 404])
    const inForce = compile(loadConfiguration(gateway.configDirectory).configuration).version
    const { body: status } = await call('/status')
    expect(status.snapshot).toBe(inForce)
    expect(status.workers).toEqual([{ index: 0, snapshot: inForce }])
    expect((await fetch(`${gateway.statusUrl}/readyz`)).status).toBe(200)

    await disk.empty()
    expect((await call('/config', { method: 'POST', body: wanted })).status).toBe(201)
    expect([await ask('/away'), await ask('/new')]).toEqual([308, 308])
    const { body: history } = await call('/config/history')
    expect(history.data[0].changes.map(({ entity }: { entity: string }) => entity)).toEqual([
      'services/one',
      'routes/new',
      'routes/large',
    ])
  },
  120_000,
)
