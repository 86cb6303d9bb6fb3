import { afterEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startIssuer, type TestIssuer } from '../../../support/issuer.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(issuer: TestIssuer, config: object, consumers: object[] = []): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers,
      plugins: [{ name: 'oidc', config: { issuer: issuer.url, ...config } }],
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

async function newIssuer(): Promise<TestIssuer> {
  const issuer = await startIssuer()
  ended.push(() => issuer.stop())
  return issuer
}

const ask = (gateway: TestGateway, token: string) =>
  fetch(gateway.url, { headers: { authorization: `Bearer ${token}` } })
const userOf = async (gateway: TestGateway, token: string) => {
  const response = await ask(gateway, token)
  return response.status === 200
    ? ((await response.json()) as Echo).headers['x-consumer-username']
    : response.status
}
const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600

describe('oidc', () => {
  test('finds the keys of its issuer, and takes tokens of no other', async () => {
    const issuer = await newIssuer()
    const consumers = [{ name: 'ada', credentials: { oidc: [{ subject: 'user-1' }] } }]
    const gateway = await start(issuer, { audience: ['api'] }, consumers)
    expect(await userOf(gateway, await issuer.sign())).toBe('ada')
    expect(await userOf(gateway, await issuer.sign({ sub: 'user-2' }))).toBe(`${issuer.url}#user-2`)
    expect(await userOf(gateway, await issuer.sign({ iss: `${issuer.url}/other` }))).toBe(401)
    expect(await userOf(gateway, await issuer.sign({ aud: 'other' }))).toBe(401)
    const stranger = await newIssuer()
    expect(await userOf(gateway, await stranger.sign({ iss: issuer.url }))).toBe(401)
    expect(await userOf(gateway, 'opaque')).toBe(401)
  })

  test('believes no configuration of another issuer', async () => {
    const issuer = await newIssuer()
    const gateway = await start(issuer, { issuer: `${issuer.url}/` })
    expect(await userOf(gateway, await issuer.sign())).toBe(503)
    await eventually('the reason', async () =>
      (await gateway.errorLog()).includes('the configuration is that of another issuer'),
    )
  })

  test('asks the issuer for tokens that say nothing themselves, once for each', async () => {
    const issuer = await newIssuer()
    const gateway = await start(issuer, {
      audience: ['api'],
      scopes: ['read'],
      introspection: { client_id: 'gate way', client_secret: 'p:ss' },
    })
    const answer = { active: true, sub: 'user-1', aud: ['api'], scope: 'read write', exp: inAnHour() }
    issuer.tokens.set('opaque-1', answer)
    issuer.tokens.set('opaque-2', { ...answer, aud: 'other' })
    issuer.tokens.set('opaque-3', { ...answer, exp: 1 })
    issuer.tokens.set('opaque-4', { ...answer, scope: 'write' })
    issuer.tokens.set('opaque-5', { ...answer, active: 'true' })
    issuer.tokens.set('opaque-6', { ...answer, iss: 'https://elsewhere' })
    const users = await Promise.all(Array.from({ length: 5 }, () => userOf(gateway, 'opaque-1')))
    expect(new Set(users)).toEqual(new Set([`${issuer.url}#user-1`]))
    expect(issuer.introspections).toEqual([
      { token: 'opaque-1', authorization: `Basic ${Buffer.from('gate+way:p%3Ass').toString('base64')}` },
    ])
    expect(await userOf(gateway, 'opaque-2')).toBe(401)
    expect(await userOf(gateway, 'opaque-3')).toBe(401)
    expect(await userOf(gateway, 'opaque-4')).toBe(403)
    expect(await userOf(gateway, 'opaque-5')).toBe(401)
    expect(await userOf(gateway, 'opaque-6')).toBe(401)
    expect(await userOf(gateway, 'unknown')).toBe(401)
    const asked = issuer.introspections.length
    expect(await userOf(gateway, await issuer.sign({ scope: 'read' }))).toBe(`${issuer.url}#user-1`)
    expect(issuer.introspections).toHaveLength(asked)
    issuer.isOut = true
    expect(await userOf(gateway, 'opaque-1')).toBe(`${issuer.url}#user-1`)
    expect(await userOf(gateway, 'opaque-7')).toBe(503)
    expect(await gateway.errorLog()).not.toMatch(/p:ss|p%3Ass|opaque-/)
  })

  test('asks for all tokens where it is told to, so that a revoked one is noticed', async () => {
    const issuer = await newIssuer()
    const gateway = await start(issuer, {
      introspection: { client_id: 'gateway', client_secret: 'secret', for: 'all' },
      cache_size: 0,
    })
    const token = await issuer.sign()
    expect(await userOf(gateway, token)).toBe(401)
    issuer.tokens.set(token, { active: true, sub: 'user-1', exp: inAnHour() })
    expect(await userOf(gateway, token)).toBe(`${issuer.url}#user-1`)
    issuer.tokens.set(token, { active: false })
    expect(await userOf(gateway, token)).toBe(401)
  })
})
