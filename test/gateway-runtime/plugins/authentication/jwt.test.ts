import { createHmac, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { exportJWK, SignJWT, UnsecuredJWT } from 'jose'
import { newAuthority } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { startIssuer, type TestIssuer } from '../../../support/issuer.ts'
import { sendRaw, statusOf } from '../../../support/raw-client.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(config: object, consumers: object[] = [], more: object[] = []): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'] }],
      consumers,
      plugins: [{ name: 'jwt', config }, ...more],
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

const ask = (gateway: TestGateway, token: string, headers: Record<string, string> = {}) =>
  fetch(gateway.url, { headers: { authorization: `Bearer ${token}`, ...headers } })
const statusWith = async (gateway: TestGateway, token: string) => (await ask(gateway, token)).status
const seen = async (response: Response) => {
  expect(response.status).toBe(200)
  return ((await response.json()) as Echo).headers
}
const eventsOf = async (gateway: TestGateway, event: string) => {
  const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
  return Number(new RegExp(`plugin="jwt",scope="global",event="${event}"} (\\d+)`).exec(metrics)?.[1])
}
const pem = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }))
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600

const secret = 'a secret of the consumer, long enough'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const ed = generateKeyPairSync('ed25519')
const consumers = [
  { name: 'ada', groups: ['gold'], credentials: { jwt: [{ key: 'ada', algorithm: 'HS256', secret }] } },
  {
    name: 'bob',
    credentials: {
      jwt: [
        { key: 'bob-rsa', algorithm: 'RS256', public_key: pem(rsa.publicKey) },
        { key: 'bob-pss', algorithm: 'PS256', public_key: pem(rsa.publicKey) },
        { key: 'bob-ec', algorithm: 'ES256', public_key: pem(ec.publicKey) },
        { key: 'bob-ed', algorithm: 'EdDSA', public_key: pem(ed.publicKey) },
      ],
    },
  },
]
const sign = (claims: object, alg: string, key: KeyObject | Uint8Array, header: object = {}) =>
  new SignJWT({ exp: inAnHour(), ...claims }).setProtectedHeader({ alg, ...header }).sign(key)
const signedByAda = (claims: object = {}, header: object = {}) =>
  sign({ iss: 'ada', ...claims }, 'HS256', Buffer.from(secret), header)

describe('tokens of consumers', () => {
  test('are verified by the algorithm and key of each', async () => {
    const gateway = await start({}, consumers)
    const tokens = [
      [await signedByAda(), 'ada'],
      [await signedByAda({ iss: 'elsewhere' }, { kid: 'ada' }), 'ada'],
      [await sign({ iss: 'bob-rsa' }, 'RS256', rsa.privateKey), 'bob'],
      [await sign({ iss: 'bob-pss' }, 'PS256', rsa.privateKey), 'bob'],
      [await sign({ iss: 'bob-ec' }, 'ES256', ec.privateKey), 'bob'],
      [await sign({ iss: 'bob-ed' }, 'EdDSA', ed.privateKey), 'bob'],
    ] as const
    for (const [token, name] of tokens) {
      const headers = await seen(await ask(gateway, token))
      expect(headers['x-consumer-username']).toBe(name)
      expect(headers).not.toHaveProperty('authorization')
    }
  })

  test('are refused where anything of them is wrong', async () => {
    const gateway = await start({ audience: ['api', 'other'] }, consumers)
    const good = await signedByAda({ aud: 'api' })
    expect(await statusWith(gateway, good)).toBe(200)
    const [head, payload, signature] = good.split('.') as [string, string, string]
    const hmacByPublicKey = (() => {
      // The public key of a consumer, which anybody may have, as the secret of an HMAC.
      const text = `${base64({ alg: 'HS256', kid: 'bob-rsa' })}.${base64({ iss: 'bob-rsa', aud: 'api', exp: inAnHour() })}`
      return `${text}.${createHmac('sha256', pem(rsa.publicKey)).update(text).digest('base64url')}`
    })()
    const wrong = {
      'without signature': new UnsecuredJWT({ iss: 'ada', aud: 'api', exp: inAnHour() }).encode(),
      'alg none, written otherwise': `${base64({ alg: 'nOnE' })}.${payload}.`,
      'an HMAC by a public key': hmacByPublicKey,
      'other claims': `${head}.${base64({ iss: 'ada', aud: 'api', exp: inAnHour(), admin: true })}.${signature}`,
      'another signature': `${head}.${payload}.${signature.split('').reverse().join('')}`,
      'no signature': `${head}.${payload}.`,
      'another secret': await sign({ iss: 'ada', aud: 'api' }, 'HS256', randomBytes(32)),
      'the key of another consumer': await sign({ iss: 'ada', aud: 'api' }, 'RS256', rsa.privateKey),
      'another algorithm of the same key': await sign(
        { iss: 'bob-rsa', aud: 'api' },
        'PS256',
        rsa.privateKey,
      ),
      expired: await signedByAda({ aud: 'api', exp: Math.floor(Date.now() / 1_000) - 60 }),
      'not valid yet': await signedByAda({ aud: 'api', nbf: Math.floor(Date.now() / 1_000) + 60 }),
      'without an end': await signedByAda({ aud: 'api', exp: undefined }),
      'another audience': await signedByAda({ aud: ['something', 'else'] }),
      'no audience': await signedByAda(),
      'an unknown issuer': await signedByAda({ aud: 'api', iss: 'eve' }),
      'an extension that must be understood': await signedByAda({ aud: 'api' }, { crit: ['x'], x: 1 }).catch(
        () => 'x.y.z',
      ),
      'too long': await signedByAda({ aud: 'api', text: 'x'.repeat(8_192) }),
      'no token': 'abc',
      empty: '',
    }
    for (const [what, token] of Object.entries(wrong)) {
      const response = await ask(gateway, token)
      expect([what, response.status]).toEqual([what, 401])
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="gateway"/)
    }
    const log = await eventually('the reasons', async () => {
      const text = await gateway.errorLog()
      return text.includes('longer than max_token_bytes') && text
    })
    expect(log).toContain('token refused')
    expect(log).not.toContain(payload)
  })

  test('are taken from where the settings say, and kept from the service', async () => {
    const gateway = await start(
      {
        header_names: ['authorization', 'x-token'],
        cookie_names: ['session'],
        query_names: ['jwt'],
        anonymous: true,
      },
      consumers,
    )
    const token = await signedByAda()
    const byHeader = await seen(await fetch(gateway.url, { headers: { 'x-token': token } }))
    expect(byHeader).toMatchObject({ 'x-consumer-username': 'ada' })
    expect(byHeader).not.toHaveProperty('x-token')
    const cookie = `a=1; session=${token}; b="2"`
    const byCookie = await seen(await fetch(gateway.url, { headers: { cookie } }))
    expect(byCookie).toMatchObject({ 'x-consumer-username': 'ada', cookie: 'a=1; b="2"' })
    const byQuery = (await (await fetch(`${gateway.url}/?a=1&jwt=${token}`)).json()) as Echo
    expect(byQuery.headers['x-consumer-username']).toBe('ada')
    expect(byQuery.url).toBe('/?a=1')
    const anonymous = await seen(await fetch(gateway.url, { headers: { authorization: 'Basic YTpi' } }))
    expect(anonymous).not.toHaveProperty('x-consumer-username')
    expect(await statusWith(gateway, 'wrong')).toBe(401)
  })

  test('are verified once, as long as they are remembered', async () => {
    const gateway = await start({ leeway: '10m' }, consumers)
    const token = await signedByAda()
    await Promise.all(Array.from({ length: 20 }, () => seen2(gateway, token)))
    await seen2(gateway, token)
    expect(await eventsOf(gateway, 'verified')).toBe(1)
    const shortLived = await signedByAda({ exp: Math.floor(Date.now() / 1_000) - 2 })
    await seen2(gateway, shortLived) // within the leeway, but not to be remembered
    await seen2(gateway, shortLived)
    expect(await eventsOf(gateway, 'verified')).toBe(3)
  })

  test('have scopes that a route asks for, and claims for its service, which no client can invent', async () => {
    const gateway = await start(
      {
        scopes: ['read', 'write'],
        claims_to_headers: {
          email: 'x-email',
          'realm_access.roles': 'x-roles',
          name: 'x-name',
          'https://a/b': 'x-ab',
        },
      },
      consumers,
    )
    const claims = {
      email: 'ada@example.com',
      realm_access: { roles: ['a', 'b'] },
      'https://a/b': 7,
      name: 'Jürgen\r\nX: 1',
    }
    const token = await signedByAda({ scope: 'write other read', ...claims })
    const headers = await seen(await ask(gateway, token, { 'x-roles': 'root' }))
    expect(headers).toMatchObject({ 'x-email': 'ada@example.com', 'x-roles': 'a, b', 'x-ab': '7' })
    expect(headers['x-name']).toBe('J%C3%BCrgen%0D%0AX: 1')
    const bare = await seen(
      await ask(gateway, await signedByAda({ scp: ['read', 'write'] }), { 'x-roles': 'root' }),
    )
    expect(bare).not.toHaveProperty('x-roles')
    const refused = await ask(gateway, await signedByAda({ scope: 'read' }))
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="gateway", error="insufficient_scope", scope="read write"',
    )
  })
})

const seen2 = async (gateway: TestGateway, token: string) => seen(await ask(gateway, token))

describe('tokens of an issuer', () => {
  test('are for its subjects: consumers that have one, and others by name of issuer and subject', async () => {
    const issuer = await newIssuer()
    const known = [
      { name: 'ada', groups: ['gold'], credentials: { jwt: [{ subject: 'user-1', issuer: issuer.url }] } },
    ]
    const gateway = await start(
      { jwks_url: issuer.keysUrl, issuer: [issuer.url], audience: ['api'], groups_claim: 'groups' },
      known,
      [{ name: 'acl', config: { allow: ['gold', 'staff'] } }],
    )
    const ada = await seen2(gateway, await issuer.sign())
    expect(ada).toMatchObject({ 'x-consumer-username': 'ada', 'x-consumer-groups': 'gold' })
    const other = await seen2(gateway, await issuer.sign({ sub: 'bo b', groups: ['staff', 'a, gold', 5] }))
    expect(other).toMatchObject({
      'x-consumer-username': `${issuer.url}#bo%20b`,
      'x-consumer-groups': 'staff',
    })
    expect(await statusWith(gateway, await issuer.sign({ sub: 'ada' }))).toBe(403)
    expect(await statusWith(gateway, await issuer.sign({ iss: 'https://elsewhere' }))).toBe(401)
    expect(await statusWith(gateway, await issuer.sign({ sub: '' }))).toBe(401)
  })

  test('are only for consumers where that is asked for', async () => {
    const issuer = await newIssuer()
    const gateway = await start(
      { jwks_url: issuer.keysUrl, consumer_required: true, consumer_claim: 'client_id' },
      [{ name: 'ada', credentials: { jwt: [{ subject: 'app' }] } }],
    )
    expect((await seen2(gateway, await issuer.sign({ client_id: 'app' })))['x-consumer-username']).toBe('ada')
    expect(await statusWith(gateway, await issuer.sign({ client_id: 'other' }))).toBe(401)
  })

  test('may have a new key, which is fetched, and lose an old one; unknown keys do not flood the issuer', async () => {
    const issuer = await newIssuer()
    const gateway = await start({ jwks_url: issuer.keysUrl, refresh_interval_min: '1ms' })
    const first = await issuer.sign()
    expect(await statusWith(gateway, first)).toBe(200)
    expect(issuer.asked).toBe(1)
    await issuer.addKey('second', 'RS256')
    const second = await issuer.sign({}, 'second')
    issuer.removeKey('first')
    expect(await statusWith(gateway, second)).toBe(200)
    expect(issuer.asked).toBe(2)
    expect(await statusWith(gateway, first)).toBe(401) // was remembered
    const strict = await start({ jwks_url: issuer.keysUrl })
    expect(await statusWith(strict, second)).toBe(200)
    const asked = issuer.asked
    await issuer.addKey('third')
    for (let round = 0; round < 5; round++)
      expect(await statusWith(strict, await issuer.sign({ round }, 'third'))).toBe(401)
    expect(issuer.asked).toBe(asked)
  })

  test('are verified by the last keys while the issuer is out; log and counters say so', async () => {
    const issuer = await newIssuer()
    const gateway = await start({ jwks_url: issuer.keysUrl, refresh: '1s', refresh_interval_min: '1ms' })
    expect(await statusWith(gateway, await issuer.sign())).toBe(200)
    issuer.isOut = true
    await eventually('the failure', async () =>
      (await gateway.errorLog()).includes('keys of the issuer not fetched'),
    )
    expect(await statusWith(gateway, await issuer.sign({ round: 2 }))).toBe(200)
    expect(await eventsOf(gateway, 'stale')).toBe(1)
    expect(await gateway.errorLog()).toMatch(/answered with status 503.* kept_keys=1/)
    await issuer.addKey('second')
    const response = await ask(gateway, await issuer.sign({}, 'second'))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    issuer.isOut = false
    await eventually('the keys', async () => (await gateway.errorLog()).includes('fetched again'))
    expect(await statusWith(gateway, await issuer.sign({}, 'second'))).toBe(200)
  })

  test('are verified by keys that come over TLS, from a server that the authorities of the settings vouch for', async () => {
    const authority = await newAuthority()
    const { certificate, key } = await authority.issue({ dns: ['localhost'] })
    const publicKey = await exportJWK(ec.publicKey)
    const server = createServer({ cert: certificate, key }, (_, response) =>
      response.end(JSON.stringify({ keys: [publicKey] })),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    ended.push(async () => server.close())
    const jwks_url = `https://localhost:${(server.address() as AddressInfo).port}/keys`
    const token = await sign({ sub: 'a' }, 'ES256', ec.privateKey)
    expect(await statusWith(await start({ jwks_url, ca: authority.certificate }), token)).toBe(200)
    const strangers = await start({ jwks_url })
    expect(await statusWith(strangers, token)).toBe(503)
    await eventually('the reason', async () => (await strangers.errorLog()).includes('gave no answer: '))
  })

  test('get 503 as long as there are no keys at all', async () => {
    const issuer = await newIssuer()
    issuer.isOut = true
    const gateway = await start({ jwks_url: issuer.keysUrl })
    const token = await issuer.sign()
    expect(await statusWith(gateway, token)).toBe(503)
    expect(await eventsOf(gateway, 'unavailable')).toBe(1)
    issuer.isOut = false
    await eventually('the keys', async () => (await statusWith(gateway, token)) === 200)
  })

  test('are verified by a key set that the configuration holds, by any key where they name none', async () => {
    const keys = await Promise.all(
      [ec, generateKeyPairSync('ec', { namedCurve: 'P-256' })].map((pair) => exportJWK(pair.publicKey)),
    )
    const gateway = await start({ jwks: JSON.stringify({ keys }) })
    expect(await statusWith(gateway, await sign({ sub: 'a' }, 'ES256', ec.privateKey))).toBe(200)
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(await statusWith(gateway, await sign({ sub: 'a' }, 'ES256', stranger.privateKey))).toBe(401)
    expect(await statusWith(gateway, await sign({ sub: 'a' }, 'RS256', rsa.privateKey))).toBe(401)
  })
})

test('settings and credentials that are wrong are all reported, and no secret is quoted', async () => {
  const privateKey = String(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const credentials = [
    { key: 'a', algorithm: 'HS256', secret: 'short-secret' },
    { key: 'b', algorithm: 'HS256', public_key: pem(rsa.publicKey) },
    { key: 'c', algorithm: 'RS256', secret },
    { key: 'd', algorithm: 'ES256', public_key: pem(rsa.publicKey) },
    { key: 'e', algorithm: 'RS256', public_key: privateKey },
    { key: 'f', secret },
    { key: 'g', algorithm: 'none' },
    { subject: 'h', secret },
    {},
    { key: 'ada', algorithm: 'HS256', secret },
  ]
  const config = {
    jwks_url: 'http://login.example.com/keys',
    jwks: '{"keys":[]}',
    algorithms: ['none'],
    claims_to_headers: { sub: 'x-consumer-username' },
    leeway: '1h',
    jwks_uri: 'https://a',
  }
  const started = start(config, [...consumers, { name: 'x', credentials: { jwt: credentials } }])
  const { message } = await started.then(
    () => Promise.reject(new Error('started')),
    (error: Error) => error,
  )
  for (const part of [
    'HS256 needs a secret of at least 32 bytes',
    'HS256 goes by a secret',
    'RS256 goes by a public key',
    'ES256 needs a key on the curve',
    'RS256 needs a public key',
    'key needs algorithm',
    'secret goes with key',
    'either key',
    'has this credential already',
    'expected a URL with https://',
    'the key set has no public key',
    'or "EdDSA", found "none"',
    'that neither the gateway nor HTTP has a use for',
    'expected at most 10m',
    'did you mean "jwks_url"',
  ])
    expect(message).toContain(part)
  expect(message).not.toMatch(/short-secret|long enough|PRIVATE/)
})

test('no token makes the plugin fail', async () => {
  const gateway = await start({ cookie_names: ['c'], query_names: ['q'] }, consumers)
  const part = fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.constantFrom(base64({ alg: 'HS256' }), base64({ alg: 'HS256', kid: 'ada' }), base64({ iss: 'ada' })),
  )
  const token = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.'))
  const place = fc.constantFrom(
    'Authorization: Bearer ',
    'Cookie: c=',
    'Cookie: ;;=;c',
    'authorization: bearer',
  )
  await fc.assert(
    fc.asyncProperty(place, token, async (field, text) => {
      const head = `GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${field}${text}\r\n\r\n`
      expect([400, 401]).toContain(statusOf(await sendRaw(gateway.ports.http, head)))
    }),
    { numRuns: 150 },
  )
})
