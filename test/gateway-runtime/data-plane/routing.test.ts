import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { type Echo, startUpstream, type Upstream } from '../../support/upstream.ts'

let upstream: Upstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({
    config: {
      services: ['exact', 'tenant', 'page', 'nested', 'rest'].map((name) => ({
        name,
        url: `${upstream.url}/${name}`,
      })),
      routes: [
        { name: 'exact', service: 'exact', paths: ['=/v1/orders'] },
        { name: 'tenant', service: 'tenant', paths: ['/v1'], headers: { 'X-Tenant': ['a', '~b\\d+$'] } },
        { name: 'page', service: 'page', paths: ['/v1'], query: { page: ['2', '~last$'] } },
        { name: 'nested', service: 'nested', paths: ['~/n/(a+)+$'] },
        { name: 'rest', service: 'rest', paths: ['/v1'], methods: ['GET'] },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

/** What the target was asked for, whose path begins with the service; or the status where no route matched. */
async function askedOf(target: string, headers: Record<string, string> = {}): Promise<string | number> {
  const answer = await fetch(`${gateway.url}${target}`, { headers })
  return answer.ok ? ((await answer.json()) as Echo).url : answer.status
}

test.each<[target: string, headers: Record<string, string>, asked: string | number]>([
  ['/v1/orders', {}, '/exact'],
  ['/v1/./%6frders?page=2', {}, '/exact?page=2'],
  ['/v1/orders/1', {}, '/rest/orders/1'],
  ['/v1/x', { 'X-Tenant': 'a' }, '/tenant/x'],
  ['/v1/x', { 'x-tenant': 'b12' }, '/tenant/x'],
  ['/v1/x', { 'x-tenant': 'b' }, '/rest/x'],
  ['/v1/x?y=1&page=%32', {}, '/page/x?y=1&page=%32'],
  ['/v1/x?page=last', {}, '/page/x?page=last'],
  ['/v1/x?page=3&page=2', {}, '/rest/x?page=3&page=2'],
  ['/n/aaa', {}, '/nested'],
  ['/n/aab', {}, 404],
])('%s with %j', async (target, headers, asked) => {
  expect(await askedOf(target, headers)).toBe(asked)
})

test('a path made to let a regular expression backtrack is answered as others are', async () => {
  expect(await askedOf(`/n/${'a'.repeat(8_000)}!`)).toBe(404)
  expect(await askedOf(`/n/${'a'.repeat(8_000)}`)).toBe('/nested')
})
