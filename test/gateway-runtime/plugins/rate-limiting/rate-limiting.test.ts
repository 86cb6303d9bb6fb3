import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startUpstream()
  const limited = (route: string, config: object) => ({
    name: 'rate-limiting',
    route,
    config: { period: 'day', ...config },
  })
  gateway = await startGateway({
    config: {
      workers: 3,
      services: [{ name: 'echo', url: upstream.url }],
      routes: ['exact', 'keys', 'free'].map((name) => ({ name, service: 'echo', paths: [`/${name}`] })),
      plugins: [limited('exact', { limit: 100 }), limited('keys', { limit: 2, by: 'api-key' })],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

const statusesOf = async (path: string, times: number, headers: Record<string, string> = {}) => {
  const answers = await Promise.all(
    Array.from({ length: times }, async () => {
      // A connection each: the kernel spreads them over the workers.
      const answer = await fetch(`${gateway.url}${path}`, { headers: { ...headers, connection: 'close' } })
      await answer.text()
      return answer.status
    }),
  )
  return answers.sort()
}

test('just the limit passes, counted over all workers', async () => {
  const statuses = await statusesOf('/exact', 300)
  expect(statuses.filter((status) => status === 200)).toHaveLength(100)
  expect(statuses.filter((status) => status === 429)).toHaveLength(200)
})

test('an answer of 429 says what the limit is and when to come back', async () => {
  const answer = await fetch(`${gateway.url}/exact`)
  expect(answer.status).toBe(429)
  expect(answer.headers.get('ratelimit-policy')).toBe('"default";q=100;w=86400')
  expect(answer.headers.get('ratelimit')).toMatch(/^"default";r=0;t=\d+$/)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(86_000)
  expect(await answer.json()).toMatchObject({ code: 'rate-limit-exceeded', status: 429 })
})

test('API keys are counted apart, and requests without one by their address', async () => {
  expect(await statusesOf('/keys', 3, { apikey: 'one' })).toEqual([200, 200, 429])
  expect(await statusesOf('/keys', 3, { apikey: 'two' })).toEqual([200, 200, 429])
  expect(await statusesOf('/keys', 3)).toEqual([200, 200, 429])
})

test('a route without the plugin is not limited and says nothing of limits', async () => {
  const answer = await fetch(`${gateway.url}/free`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('ratelimit')).toBeNull()
})
