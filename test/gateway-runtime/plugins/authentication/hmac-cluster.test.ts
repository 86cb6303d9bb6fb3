import { createHmac } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { programForTests } from '../../../support/test-program.ts'
import { startUpstream, type Upstream } from '../../../support/upstream.ts'

const { path, test, isInstalled } = await programForTests('redis-server')
const long = 240_000
const secret = 'a secret of the consumer, long enough'

let cluster: RedisCluster
let upstream: Upstream
let gateways: TestGateway[] = []

beforeAll(async () => {
  if (!isInstalled) return
  upstream = await startUpstream()
  cluster = await startRedisCluster(path)
  const auth = (on_failure: string) => ({
    name: 'hmac-auth',
    route: on_failure,
    config: { required_components: ['@path'], nonce: 'required', sync: 'cluster', on_failure },
  })
  const config = {
    redis: { cluster: cluster.addresses, timeout: '1s' },
    services: [{ name: 'echo', url: upstream.url }],
    routes: ['closed', 'open'].map((name) => ({ name, service: 'echo', paths: [`/${name}`] })),
    plugins: ['closed', 'open'].map((name) => auth(name)),
    consumers: [
      { name: 'ada', credentials: { 'hmac-auth': [{ key_id: 'ada', algorithm: 'hmac-sha256', secret }] } },
    ],
  }
  gateways = await Promise.all([startGateway({ config }), startGateway({ config })])
}, long)
afterEach(() => {
  for (const server of cluster?.servers ?? []) server.resume()
})
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await cluster?.stop()
  await upstream?.stop()
}, long)

/** A request for a path that either node takes, as RFC 9421 has it signed. */
function signed(path: string, nonce: string) {
  const created = Math.floor(Date.now() / 1_000)
  const parameters = `("@path");created=${created};keyid="ada";nonce="${nonce}"`
  const base = `"@path": ${path}\n"@signature-params": ${parameters}`
  const signature = createHmac('sha256', secret).update(base).digest('base64')
  const headers = { 'signature-input': `sig=${parameters}`, signature: `sig=:${signature}:` }
  return async (gateway: TestGateway) => {
    const response = await fetch(gateway.url + path, { headers })
    await response.text()
    return response.status
  }
}

test(
  'a nonce is taken once by all nodes together',
  async () => {
    const [first, second] = gateways as [TestGateway, TestGateway]
    const one = signed('/closed', 'one')
    expect([await one(first), await one(second), await one(first)]).toEqual([200, 401, 401])
    const race = signed('/closed', 'race')
    const statuses = await Promise.all(
      Array.from({ length: 20 }, (_, index) => race(index % 2 ? first : second)),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(19)
    const keys = await Promise.all((await cluster.primaries()).map((server) => server.command('KEYS', '*')))
    expect(keys.flat().filter((key) => String(key).includes(':nonce:'))).toHaveLength(2)
    expect(JSON.stringify(keys)).not.toMatch(/race|ada/)
  },
  long,
)

test(
  'while Redis does not answer it goes by the setting, and nothing that was used before passes',
  async () => {
    const [first, second] = gateways as [TestGateway, TestGateway]
    const used = signed('/open', 'used')
    expect(await used(first)).toBe(200)
    for (const server of cluster.servers) server.pause()
    expect(await signed('/closed', 'two')(first)).toBe(503)
    const three = signed('/open', 'three')
    expect([await three(first), await three(first), await used(first)]).toEqual([200, 401, 401])
    for (const server of cluster.servers) server.resume()
    let attempt = 0
    await eventually(
      'nonces are taken again',
      async () => (await signed('/closed', `later ${attempt++}`)(second)) === 200,
      120_000,
    )
  },
  long,
)
