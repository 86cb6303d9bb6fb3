import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(config: object, files: Record<string, string> = {}): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    files,
    config: {
      trusted_proxies: ['127.0.0.1'],
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      plugins: [{ name: 'ip-restriction', config }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const from = (gateway: TestGateway, address: string) =>
  fetch(gateway.url, { headers: { 'x-forwarded-for': address } })

describe('ip-restriction', () => {
  test('lets in who is allowed and not denied, and says in the log by which rule others are refused', async () => {
    const gateway = await start({
      allow: ['192.0.2.0/24', '2001:db8::/32'],
      deny: ['192.0.2.66', '2001:db8:bad::/48'],
    })
    const statusOf = async (address: string) => (await from(gateway, address)).status
    expect(await statusOf('192.0.2.1')).toBe(200)
    expect(await statusOf('2001:db8::1')).toBe(200)
    expect(await statusOf('198.51.100.1')).toBe(403)
    expect(await statusOf('192.0.2.66')).toBe(403)
    const refused = await from(gateway, '2001:db8:bad::1')
    expect(await refused.json()).toMatchObject({ status: 403, code: 'address-refused' })
    const log = await eventually('the last line', async () => {
      const text = await gateway.errorLog()
      return text.includes('bad::/48') && text
    })
    expect(log).toMatch(/address refused .*address=198\.51\.100\.1 rule=allow route=all request_id=/)
    expect(log).toMatch(/address refused .*rule="deny 192\.0\.2\.66"/)
    expect(log).toMatch(/address refused .*rule="deny 2001:db8:bad::\/48"/)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain(
      'gatehouse_plugin_events_total{plugin="ip-restriction",scope="global",event="refused"} 3',
    )
  })

  test('answers with the status and message of its settings', async () => {
    const gateway = await start({ deny: ['::/0', '0.0.0.0/0'], status: 404, message: 'Nothing here.' })
    const response = await fetch(gateway.url)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ detail: 'Nothing here.' })
  })

  test('holds 100,000 networks, from files that are longer than one may be', async () => {
    const line = (index: number) =>
      `10.${index >> 10}.${(index >> 2) & 255}.${(index & 3) * 64}/26${index % 1_000 === 0 ? ' # note' : ''}`
    const lines = Array.from({ length: 100_000 }, (_, index) => line(index))
    const gateway = await start(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
      { deny: ['${file:one.txt}', '${file:two.txt}', '192.0.2.1'] },
      {
        'one.txt': `# first\n${lines.slice(0, 50_000).join('\n')}\n`,
        'two.txt': lines.slice(50_000).join('\r\n'),
      },
    )
    expect((await from(gateway, '10.97.167.193')).status).toBe(403)
    expect((await from(gateway, '10.0.0.1')).status).toBe(403)
    expect((await from(gateway, '192.0.2.1')).status).toBe(403)
    expect((await from(gateway, '10.97.168.1')).status).toBe(200)
  })

  test('says which entry is no network', async () => {
    const started = start({ allow: ['192.0.2.0/24', '192.0.2.0/33'] })
    await expect(started).rejects.toThrow(
      /config\.yaml:\d+.*expected an address or a network.*192\.0\.2\.0\/33/,
    )
  })
})
