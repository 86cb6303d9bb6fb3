import { afterEach, describe, expect, test } from '@jest/globals'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const consumers = [
  {
    name: 'ada',
    custom_id: 'customer-1',
    groups: ['gold', 'beta'],
    credentials: { 'key-auth': [{ key: 'the-key-of-ada' }] },
  },
  { name: 'bob', credentials: { 'key-auth': [{ key: 'the-key-of-bob' }] } },
]

async function start(config: object): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers,
      plugins: [{ name: 'key-auth' }],
      ...config,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const ask = (gateway: TestGateway, headers: Record<string, string> = {}, target = '/') =>
  fetch(`${gateway.url}${target}`, { headers })

describe('key-auth', () => {
  test('lets in whoever shows a key, tells the service who it is, and keeps the key', async () => {
    const gateway = await start({})
    const forged = { apikey: 'the-key-of-ada', 'x-consumer-username': 'root', 'x-consumer-groups': 'admin' }
    const { headers } = (await (await ask(gateway, forged)).json()) as Echo
    expect(headers).toMatchObject({
      'x-consumer-username': 'ada',
      'x-consumer-custom-id': 'customer-1',
      'x-consumer-groups': 'gold, beta',
    })
    expect(headers).not.toHaveProperty('apikey')
    const byQuery = (await (await ask(gateway, {}, '/?a=1&apikey=the-key-of-bob&b=2')).json()) as Echo
    expect(byQuery.headers['x-consumer-username']).toBe('bob')
    expect(byQuery.url).toBe('/?a=1&b=2')
  })

  test('answers 401 to others, and counts them', async () => {
    const gateway = await start({})
    for (const headers of [{}, { apikey: 'the-key-of-nobody' }, { apikey: '' }]) {
      const response = await ask(gateway, headers as Record<string, string>)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Key realm="gateway"')
    }
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain(
      'gatehouse_plugin_events_total{plugin="key-auth",scope="global",event="refused"} 3',
    )
  })

  test('lets requests without a key pass where it is told to, but never those with a wrong one', async () => {
    const gateway = await start({ plugins: [{ name: 'key-auth', config: { anonymous: true } }] })
    const { headers } = (await (await ask(gateway, { 'x-consumer-username': 'root' })).json()) as Echo
    expect(headers).not.toHaveProperty('x-consumer-username')
    expect((await ask(gateway, { apikey: 'the-key-of-nobody' })).status).toBe(401)
  })

  test('takes keys that are stored as hashes, which the CLI writes', async () => {
    const gateway = await start({})
    const added = await gateway.cli('consumers', 'add', '--name', 'eve', '--api-key', 'the-key-of-eve')
    expect(added.stderr).toBe('')
    expect(added.code).toBe(0)
    expect((await ask(gateway, { apikey: 'the-key-of-eve' })).status).toBe(200)
    const shown = await gateway.cli('consumers', 'get', 'eve', '--json')
    expect(shown.stdout).not.toContain('the-key-of-eve')
    expect((await gateway.cli('consumers', 'delete', 'eve')).code).toBe(0)
    expect((await ask(gateway, { apikey: 'the-key-of-eve' })).status).toBe(401)
  })
})

describe('a plugin of a consumer', () => {
  const limit = (count: number, scope: object = {}) => ({
    name: 'rate-limiting',
    config: { limit: count, period: 'day' },
    ...scope,
  })
  const limitFor = async (gateway: TestGateway, key: string, target = '/') => {
    const response = await ask(gateway, { apikey: key }, target)
    return /q=(\d+)/.exec(response.headers.get('ratelimit-policy') ?? '')?.[1]
  }

  test('takes the place of that of the route, and one for both that of either', async () => {
    const gateway = await start({
      routes: [
        { name: 'one', service: 'echo', paths: ['/one'] },
        { name: 'two', service: 'echo', paths: ['/two'] },
        { name: 'three', service: 'echo', paths: ['/three'] },
      ],
      plugins: [
        { name: 'key-auth' },
        limit(100),
        limit(200, { route: 'one' }),
        limit(300, { consumer: 'ada' }),
        limit(400, { consumer: 'ada', route: 'two' }),
        { ...limit(1, { consumer: 'ada', route: 'three' }), enabled: false },
      ],
    })
    expect(await limitFor(gateway, 'the-key-of-bob', '/one')).toBe('200')
    expect(await limitFor(gateway, 'the-key-of-bob', '/two')).toBe('100')
    expect(await limitFor(gateway, 'the-key-of-ada', '/one')).toBe('300')
    expect(await limitFor(gateway, 'the-key-of-ada', '/two')).toBe('400')
    expect(await limitFor(gateway, 'the-key-of-ada', '/three')).toBe(undefined)
  })
})

describe('consumers that are wrong', () => {
  test.each([
    [{ name: 'x', credentials: { 'key-auht': [{ key: 'long-enough' }] } }, 'did you mean "key-auth"'],
    [{ name: 'x', credentials: { 'key-auth': [{ key: 'short' }] } }, 'at least 8 characters'],
    [{ name: 'x', credentials: { 'key-auth': [{ key: 'the-key-of-ada' }] } }, 'has this credential already'],
    [{ name: 'ada' }, 'duplicate consumer "ada"'],
  ])('are reported where they stand, and no key is quoted', async (consumer, message) => {
    const started = start({ consumers: [...consumers, consumer] })
    await expect(started).rejects.toThrow(message)
    await expect(started).rejects.toThrow('config.yaml:')
    await expect(started).rejects.not.toThrow(/short|the-key/)
  })
})
