import { afterEach, expect, test } from '@jest/globals'
import { SeriesTable } from '../../../../gateway-runtime/src/plugins/metrics/consumer-series.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

test('shows what each consumer asks for', async () => {
  const upstream = await startUpstream()
  ended.push(upstream.stop)
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers: [{ name: 'anna', credentials: { 'key-auth': [{ key: 'key-of-anna-0123456789' }] } }],
      plugins: [
        { name: 'key-auth', config: {} },
        { name: 'prometheus', config: { code: 'exact', buckets: [5, 60] } },
      ],
    },
  })
  ended.push(gateway.stop)
  const ask = async (headers = {}) => (await fetch(gateway.url, { headers })).arrayBuffer()
  await ask({ apikey: 'key-of-anna-0123456789' })
  await ask({ apikey: 'key-of-anna-0123456789' })
  await ask()
  const own = 'route="all",service="echo",consumer="anna",code="200"'
  const text = await eventually('the counts', async () => {
    const page = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    return page.includes(`gatehouse_consumer_requests_total{${own}} 2`) && page
  })
  expect(text).toContain(`gatehouse_consumer_request_duration_seconds_bucket{${own},le="60"} 2`)
  expect(text).toContain(`gatehouse_consumer_request_duration_seconds_count{${own}} 2`)
  expect(text).toContain('consumer="",code="401"} 1')
})

test('keeps to its bound, and loses no count', () => {
  const table = new SeriesTable(10, 0)
  for (let index = 0; index < 100; index++)
    table.of({ route: 'r', service: 's', consumer: `c${index}`, code: '2xx' }).requests++
  const all = table.take()
  expect(all).toHaveLength(11)
  expect(all.reduce((sum, { requests }) => sum + requests, 0)).toBe(100)
  expect(all.find(({ labels }) => labels.consumer === 'other')?.requests).toBe(90)
})
