import { afterEach, expect, test } from '@jest/globals'
import { type Collector, startCollector } from '../../../support/collector.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const parent = (sampled: '00' | '01') => `00-${traceId}-${spanId}-${sampled}`

async function start(config: object, services: object = {}) {
  let failures = 0
  const upstream = await startUpstream((request, response) => {
    if (request.url === '/flaky' && failures++ === 0) return void request.socket.destroy()
    echo(request, response)
  })
  ended.push(upstream.stop)
  const collector = await startCollector()
  ended.push(collector.stop)
  const endpoint = `${collector.url}/v1/traces`
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url, ...services }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      plugins: [
        { name: 'opentelemetry', config: { endpoint, flush_interval: 10, sampling_rate: 1, ...config } },
        { name: 'correlation-id', config: {} },
      ],
    },
  })
  ended.push(gateway.stop)
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${gateway.url}${path}`, { headers })
    return ((await answer.json()) as { headers: Record<string, string> }).headers
  }
  return { gateway, collector, upstream, ask }
}

const spansOf = (collector: Collector, count: number) =>
  eventually(`${count} spans`, () => collector.spans.length >= count && collector.spans)

test('a request becomes a span of the gateway and one of its upstream, below that of the client', async () => {
  const { gateway, collector, ask } = await start({ resource_attributes: { team: 'edge' } })
  const seen = await ask('/orders?secret=1', { traceparent: parent('00'), tracestate: 'vendor=1' })
  const spans = await spansOf(collector, 2)
  const server = spans.find(({ kind }) => kind === 2)!
  const client = spans.find(({ kind }) => kind === 3)!
  expect(server).toMatchObject({ traceId, parentSpanId: spanId, name: 'GET all' })
  expect(server.attributes).toMatchObject({
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'url.path': '/orders',
    'gatehouse.route': 'all',
    'gatehouse.service': 'echo',
  })
  expect(JSON.stringify(spans)).not.toContain('secret')
  expect(client).toMatchObject({ traceId, parentSpanId: server.spanId })
  expect(seen.traceparent).toBe(`00-${traceId}-${client.spanId}-01`)
  expect(seen.tracestate).toBe('vendor=1')
  expect(BigInt(client.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(server.startTimeUnixNano))
  expect(BigInt(client.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(server.endTimeUnixNano))
  expect(collector.resources[0]).toMatchObject({ 'service.name': 'gatehouse', team: 'edge' })
  const [line] = await eventually('a line', async () => {
    const lines = await gateway.accessLog()
    return lines.length > 0 && lines
  })
  expect(line).toMatchObject({ trace_id: traceId })
})

test('follows whether the client samples, where it is told to', async () => {
  const { collector, ask } = await start({ incoming: 'follow', sampling_rate: 0 })
  expect((await ask('/a', { traceparent: parent('00') })).traceparent).toMatch(/-00$/)
  expect((await ask('/b', { traceparent: parent('01') })).traceparent).toMatch(/-01$/)
  const spans = await spansOf(collector, 2)
  expect(spans.find(({ kind }) => kind === 2)?.attributes['url.path']).toBe('/b')
})

test('begins a trace of its own where there is none, or none that is right', async () => {
  const { ask } = await start({})
  const first = await ask('/')
  expect(first.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  const second = await ask('/', { traceparent: `00-${traceId}-${spanId}-xx`, tracestate: 'vendor=1' })
  expect(second.traceparent).not.toContain(traceId)
  expect(second.tracestate).toBeUndefined()
  const { ask: askIgnoring } = await start({ incoming: 'ignore' })
  expect((await askIgnoring('/', { traceparent: parent('01') })).traceparent).not.toContain(traceId)
})

test('shows plugins and failed attempts', async () => {
  const { collector, ask } = await start({ detailed: true })
  await ask('/flaky')
  const spans = await spansOf(collector, 3)
  const client = spans.find(({ kind }) => kind === 3)!
  expect(client.attributes).toMatchObject({ 'http.request.resend_count': 1 })
  expect(client.events).toMatchObject([{ name: 'attempt failed' }])
  expect(spans.filter(({ kind }) => kind === 1).map(({ name }) => name)).toContain('correlation-id request')
})

test('sends spans again that the collector did not take, and gives up those that it refuses', async () => {
  const { gateway, collector, ask } = await start({})
  collector.answer(503)
  await ask('/later')
  await eventually('a first attempt', () => collector.requests > 0)
  collector.answer(200)
  await spansOf(collector, 2)
  collector.answer(400)
  await ask('/never')
  const lost = /plugin_events_total\{plugin="opentelemetry",scope="global",event="dropped"\} 2/
  await eventually('a count of what was lost', async () => {
    await ask('/again') // what was lost is told with the next batch
    return lost.test(await (await fetch(`${gateway.statusUrl}/metrics`)).text())
  })
  expect(await gateway.errorLog()).toContain('traces cannot be sent')
})
