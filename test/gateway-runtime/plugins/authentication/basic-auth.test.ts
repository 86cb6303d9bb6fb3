import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hashPassword } from '../../../../gateway-runtime/src/plugins/authentication/password-hash.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { sendRaw, statusOf } from '../../../support/raw-client.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const hashOfAda = await hashPassword('corrèct: horse')
// Of another implementation (argon2-cffi), for the password "password".
const hashOfBob = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'

const consumers = [
  { name: 'ada', credentials: { 'basic-auth': [{ username: 'ada', hash: hashOfAda }] } },
  { name: 'bob', credentials: { 'basic-auth': [{ username: 'bob', hash: hashOfBob }] } },
]

async function start(config: object = {}): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers,
      plugins: [{ name: 'basic-auth' }],
      ...config,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const ask = (gateway: TestGateway, authorization?: string) =>
  fetch(gateway.url, authorization === undefined ? {} : { headers: { authorization } })
const eventsOf = async (gateway: TestGateway, event: string) => {
  const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`plugin="basic-auth",scope="global",event="${event}"} (\\d+)`).exec(metrics)?.[1])
}

describe('basic-auth', () => {
  test('lets in whoever shows the password of a user, and keeps it from the service', async () => {
    const gateway = await start()
    for (const [user, password] of [
      ['ada', 'corrèct: horse'],
      ['bob', 'password'],
      ['ada', 'corrèct: horse'], // from memory
    ] as const) {
      const response = await ask(gateway, basic(user, password))
      expect(response.status).toBe(200)
      const { headers } = (await response.json()) as Echo
      expect(headers['x-consumer-username']).toBe(user)
      expect(headers).not.toHaveProperty('authorization')
    }
  })

  test('answers 401 to all others, twice too', async () => {
    const gateway = await start()
    const wrong = [
      undefined,
      'Bearer abc',
      'Basic',
      'Basic !!!',
      `Basic ${Buffer.from('ada').toString('base64')}`,
      basic('ada', 'wrong'),
      basic('ada', 'wrong'),
      basic('ada', ''),
      basic('nobody', 'password'),
      basic('nobody', 'password'),
      basic('bob', 'password '),
    ]
    for (const authorization of wrong) {
      const response = await ask(gateway, authorization)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Basic realm="gateway", charset="UTF-8"')
    }
    expect(await eventsOf(gateway, 'refused')).toBe(wrong.length)
    expect(await gateway.errorLog()).not.toMatch(/wrong|password|corr/)
  })

  test('lets another scheme pass where it is told to, but no wrong password', async () => {
    const gateway = await start({
      plugins: [{ name: 'basic-auth', config: { anonymous: true, hide_credentials: false, realm: 'a b' } }],
    })
    const other = (await (await ask(gateway, 'Bearer abc')).json()) as Echo
    expect(other.headers).not.toHaveProperty('x-consumer-username')
    expect(other.headers.authorization).toBe('Bearer abc')
    const shown = (await (await ask(gateway, basic('bob', 'password'))).json()) as Echo
    expect(shown.headers.authorization).toBe(basic('bob', 'password'))
    const refused = await ask(gateway, basic('bob', 'wrong'))
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('realm="a b"')
  })

  test('verifies only so many at once, and refuses what is too much', async () => {
    const gateway = await start({
      plugins: [{ name: 'basic-auth', config: { verifications: 1, waiting: 1 } }],
    })
    const guesses = Array.from({ length: 20 }, (_, index) => ask(gateway, basic('bob', `guess ${index}`)))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThan(0)
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(0)
    expect(new Set(statuses)).toEqual(new Set([401, 503]))
    expect((await ask(gateway, basic('bob', 'password'))).status).toBe(200)
  })

  test('takes a user that the CLI added, with a password from its standard input', async () => {
    const gateway = await start()
    const args = ['consumers', 'add', '--name', 'eve', '--basic-auth', 'eve']
    const added = await gateway.cliWithInput('päss word\n', ...args)
    expect(added.stderr).toBe('')
    expect(added.code).toBe(0)
    expect((await ask(gateway, basic('eve', 'päss word'))).status).toBe(200)
    const shown = await gateway.cli('consumers', 'get', 'eve', '--json')
    expect(shown.stdout).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
    expect(shown.stdout).not.toContain('päss word')
    const none = await gateway.cliWithInput('', 'consumers', 'add', '--name', 'x', '--basic-auth', 'x')
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('give the password of x on standard input')
    expect((await gateway.cli('consumers', 'delete', 'eve')).code).toBe(0)
    expect((await ask(gateway, basic('eve', 'päss word'))).status).toBe(401)
  })

  test.each([
    [{ username: 'a:b', hash: hashOfAda }, 'expected 1 to 256 characters without ":"'],
    [{ username: 'a', hash: '$2b$10$abc' }, 'this is no argon2id hash'],
    [{ username: 'a', hash: hashOfAda.replace('m=19456', 'm=999999') }, 'over 256 MiB'],
    [{ username: 'a', password: 'secret-word' }, 'unknown key "password"'],
    [{ username: 'ada', hash: hashOfBob }, 'has this credential already'],
  ])('says what is wrong with a credential, and quotes none', async (credential, message) => {
    const started = start({
      consumers: [...consumers, { name: 'x', credentials: { 'basic-auth': [credential] } }],
    })
    await expect(started).rejects.toThrow(message)
    await expect(started).rejects.not.toThrow(/secret-word|CTFhFdXP/)
  })

  test('never fails, whatever stands in Authorization', async () => {
    const gateway = await start({ plugins: [{ name: 'basic-auth', config: { waiting: 1_000 } }] })
    const field = fc.oneof(
      fc.string({ unit: 'grapheme-ascii' }),
      fc.base64String().map((text) => `Basic ${text}`),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => `basic ${Buffer.from(bytes).toString('base64')}`),
    )
    await fc.assert(
      fc.asyncProperty(field, async (authorization) => {
        const head = `GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`
        expect([400, 401]).toContain(statusOf(await sendRaw(gateway.ports.http, head)))
      }),
      { numRuns: 60 },
    )
  })
})
