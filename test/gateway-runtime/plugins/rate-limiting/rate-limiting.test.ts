import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { settingsSchema } from '../../../../gateway-runtime/src/plugins/rate-limiting/settings.ts'
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
      routes: ['exact', 'keys', 'free', 'several', 'burst'].map((name) => ({
        name,
        service: 'echo',
        paths: [`/${name}`],
      })),
      plugins: [
        limited('exact', { limit: 100 }),
        limited('keys', { limit: 2, by: 'api-key' }),
        {
          name: 'rate-limiting',
          route: 'several',
          config: {
            windows: [
              { limit: 8, period: 'day' },
              { limit: 3, period: 'hour' },
            ],
          },
        },
        limited('burst', { limit: 100, burst: 5 }),
      ],
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

test('of several windows each is kept, and the answer names the one that decided', async () => {
  const asked = []
  for (let request = 0; request < 6; request++) asked.push(await fetch(`${gateway.url}/several`))
  expect(asked.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429])
  expect(asked[0]!.headers.get('ratelimit-policy')).toBe('"hour";q=3;w=3600, "day";q=8;w=86400')
  expect(asked[0]!.headers.get('ratelimit')).toMatch(/^"hour";r=2;/)
  expect(asked[5]!.headers.get('ratelimit')).toMatch(/^"hour";r=0;/)
})

test('with a burst no more than that pass at once', async () => {
  const statuses = await statusesOf('/burst', 10)
  expect(statuses.filter((status) => status === 200)).toHaveLength(5)
})

test.each([
  [{}, 'expected limit and period, or windows'],
  [{ limit: 5 }, 'limit and period go together'],
  [{ limit: 5, period: 'second', by: 'header' }, 'by: header needs the name of the header'],
  [{ limit: 5, period: 'second', by: 'jwt-claim' }, 'by: jwt-claim needs the name of the claim'],
  [{ limit: 5, period: 'second', burst: 6 }, 'expected no more than limit'],
  [{ limit: 1_000, period: 'second', burst: 5, sync: 'cluster' }, 'over a cluster at least 100 ms'],
])('%j is refused: %s', (config, message) => {
  expect(
    settingsSchema
      .safeParse(config)
      .error?.issues.map((issue) => issue.message)
      .join(),
  ).toContain(message)
})

test('over a cluster without a Redis: the gateway does not start and says what is missing', async () => {
  const config = {
    plugins: [{ name: 'rate-limiting', config: { limit: 5, period: 'second', sync: 'cluster' } }],
  }
  await expect(startGateway({ config })).rejects.toThrow(/name its servers under redis.cluster/)
})
