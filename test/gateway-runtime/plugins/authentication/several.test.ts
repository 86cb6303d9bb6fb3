import { createSecretKey } from 'node:crypto'
import { afterEach, describe, expect, test } from '@jest/globals'
import { SignJWT } from 'jose'
import { hashPassword } from '../../../../gateway-runtime/src/plugins/authentication/password-hash.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { sendRaw, statusOf } from '../../../support/raw-client.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const secret = 'a secret of the consumer, long enough'
const passwordHash = await hashPassword('password')

async function start(...plugins: object[]): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers: [
        { name: 'by-token', credentials: { jwt: [{ key: 'a', algorithm: 'HS256', secret }] } },
        { name: 'by-key', credentials: { 'key-auth': [{ key: 'the-key-of-somebody' }] } },
        { name: 'by-password', credentials: { 'basic-auth': [{ username: 'u', hash: passwordHash }] } },
      ],
      plugins,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

const newToken = () =>
  new SignJWT({ iss: 'a' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(createSecretKey(secret, 'utf8'))
const basic = (password: string) => `Basic ${Buffer.from(`u:${password}`).toString('base64')}`

describe('several authentication plugins on one route', () => {
  test('let in whom one of them knows, the first by their order; what is wrong never passes', async () => {
    const anonymous = { anonymous: true }
    const gateway = await start(
      { name: 'basic-auth' },
      { name: 'jwt', config: anonymous },
      { name: 'key-auth', config: anonymous },
    )
    const userOf = async (headers: Record<string, string>) => {
      const response = await fetch(gateway.url, { headers })
      if (response.status !== 200) return response.status
      return ((await response.json()) as Echo).headers['x-consumer-username']
    }
    const token = await newToken()
    const key = 'the-key-of-somebody'
    expect(await userOf({ authorization: `Bearer ${token}` })).toBe('by-token')
    expect(await userOf({ apikey: key })).toBe('by-key')
    expect(await userOf({ authorization: basic('password') })).toBe('by-password')
    expect(await userOf({ authorization: `Bearer ${token}`, apikey: key })).toBe('by-token')
    expect(await userOf({ authorization: basic('password'), apikey: key })).toBe('by-key')
    expect(await userOf({})).toBe(401)
    expect(await userOf({ authorization: 'Bearer wrong', apikey: key })).toBe(401)
    expect(await userOf({ apikey: 'wrong-key-of-somebody' })).toBe(401)
    expect(await userOf({ authorization: basic('wrong') })).toBe(401)
  })

  test('take credentials out of any query that the gateway lets pass', async () => {
    const gateway = await start({ name: 'jwt', config: { query_names: ['jwt'] } })
    const token = await newToken()
    for (const rest of ['&a=#b', '&a=%zz', '&a="<>^`{|}', "&a='", '&&&', '#']) {
      const head = `GET /?jwt=${token}${rest} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`
      expect([200, 400]).toContain(statusOf(await sendRaw(gateway.ports.http, head)))
    }
  })
})
