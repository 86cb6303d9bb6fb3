import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { programForTests } from '../support/test-program.ts'

const folder = join(import.meta.dirname, '../../docs/monitoring')
const promtool = await programForTests('promtool')

let gateway: TestGateway
let page: string

beforeAll(async () => {
  gateway = await startGateway({
    config: {
      logs: { directory: '../logs', export: [{ protocol: 'udp', host: '127.0.0.1', port: 9 }] },
      redis: { cluster: ['127.0.0.1:1'] },
      services: [{ name: 'orders', upstream: 'orders' }],
      routes: [{ name: 'orders', service: 'orders', paths: ['/'] }],
      upstreams: [
        {
          name: 'orders',
          targets: [{ target: '127.0.0.1:1' }],
          healthchecks: { active: { type: 'tcp', interval: 1_000 } },
        },
      ],
    },
  })
  await (await fetch(gateway.url)).arrayBuffer()
  page = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
})
afterAll(() => gateway?.stop())

promtool.test('the alert rules are right', async () => {
  const { code, stdout, stderr } = await promtool.run(['check', 'rules', join(folder, 'alerts.yaml')])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.toString()).toContain('14 rules found')
})

promtool.test('a scrape of the gateway is right', async () => {
  const { code, stderr, stdout } = await promtool.run(['check', 'metrics'], { input: Buffer.from(page) })
  const problems = `${stdout}${stderr}`.split('\n').filter((line) => /error/i.test(line))
  expect({ code: code === 3 ? 0 : code, problems }).toEqual({ code: 0, problems: [] }) // 3: advice on names
})

/** Only with certificates that the gateway orders itself. */
const others = new Set(['expiry', 'issued'].map((what) => `gatehouse_certificate_${what}_timestamp_seconds`))

test.each(['alerts.yaml', 'grafana-dashboard.json'])(
  'the metrics of %s are those of the gateway',
  async (file) => {
    const text = await readFile(join(folder, file), 'utf8')
    const used = new Set([...text.matchAll(/gatehouse_[a-z0-9_]+/g)].map(([name]) => name))
    expect(used.size).toBeGreaterThan(8)
    const unknown = [...used].filter((name) => {
      const family = name.replace(/_(bucket|sum|count)$/, '')
      return !others.has(name) && ![name, family].some((one) => page.includes(`# TYPE ${one} `))
    })
    expect(unknown).toEqual([])
  },
)

test('every panel of the dashboard asks something, and none lies on another', async () => {
  const { panels } = JSON.parse(await readFile(join(folder, 'grafana-dashboard.json'), 'utf8'))
  const taken = new Set<string>()
  for (const { targets, gridPos, title } of panels) {
    expect(title).not.toBe('')
    expect(targets.length).toBeGreaterThan(0)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`)).toBe(false)
        taken.add(`${x},${y}`)
      }
    }
  }
})
