import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { contentDigest } from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/content-digest.ts'
import {
  type SignatureAlgorithm,
  signatureOf,
} from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-algorithms.ts'
import { signatureBase } from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-base.ts'
import {
  type InnerList,
  parseDictionary,
} from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/structured-fields.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { sendRaw, statusOf } from '../../../support/raw-client.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const secret = 'a secret of the consumer, long enough'
const pairs = {
  'rsa-pss-sha512': generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  'ecdsa-p256-sha256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ecdsa-p384-sha384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ed25519: generateKeyPairSync('ed25519'),
}
const pem = (key: KeyObject) => String(key.export({ type: 'spki', format: 'pem' }))
const consumers = [
  { name: 'ada', credentials: { 'hmac-auth': [{ key_id: 'ada', algorithm: 'hmac-sha256', secret }] } },
  {
    name: 'bob',
    credentials: {
      'hmac-auth': Object.entries(pairs).map(([algorithm, { publicKey }]) => ({
        key_id: `bob ${algorithm}`,
        algorithm,
        public_key: pem(publicKey),
      })),
    },
  },
]

async function start(config: object = {}, more: object = {}): Promise<TestGateway> {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      services: [{ name: 'echo', url: upstream.url }],
      routes: [{ name: 'all', service: 'echo', paths: ['/'], strip_path: false }],
      consumers,
      plugins: [{ name: 'hmac-auth', config }],
      ...more,
    },
  })
  ended.push(() => gateway.stop())
  return gateway
}

interface Signing {
  readonly components?: string
  readonly parameters?: string
  readonly key?: KeyObject
  readonly algorithm?: SignatureAlgorithm
  readonly method?: string
  readonly target?: string
  readonly headers?: Record<string, string>
  readonly label?: string
}

const adasKey = createSecretKey(secret, 'utf8')
const now = () => Math.floor(Date.now() / 1_000)
const byAda = (more = '') => `;created=${now()};keyid="ada"${more}`

/** A request with its signature fields, as a client makes them. */
function signed(gateway: TestGateway, signing: Signing = {}) {
  const { method = 'GET', target = '/a/b?c=d', headers = {}, label = 'sig1' } = signing
  const input = `(${signing.components ?? '"@method" "@target-uri"'})${signing.parameters ?? byAda()}`
  const list = parseDictionary(`x=${input}`)!.get('x') as InnerList
  const url = new URL(gateway.url + target)
  const base = signatureBase(
    {
      method,
      scheme: 'http',
      authority: url.host,
      path: url.pathname,
      query: url.search,
      headers: () => Object.entries(headers),
    },
    list,
  )
  const signature = signatureOf(base, signing.key ?? adasKey, signing.algorithm ?? 'hmac-sha256')
  return {
    url: url.href,
    method,
    headers: {
      ...headers,
      'signature-input': `${label}=${input}`,
      signature: `${label}=:${signature.toString('base64')}:`,
    },
  }
}

const send = ({ url, ...request }: ReturnType<typeof signed>, body?: string) =>
  fetch(url, { ...request, ...(body !== undefined && { body }) })

describe('hmac-auth', () => {
  test('knows consumers by their signatures, and keeps these from the service', async () => {
    const gateway = await start()
    const response = await send(signed(gateway))
    expect(response.status).toBe(200)
    const { headers, url } = (await response.json()) as Echo
    expect(url).toBe('/a/b?c=d')
    expect(headers).toMatchObject({ 'x-consumer-username': 'ada' })
    expect(headers).not.toHaveProperty('signature')
    expect(headers).not.toHaveProperty('signature-input')
    for (const [algorithm, { privateKey }] of Object.entries(pairs)) {
      const parameters = `;created=${now()};keyid="bob ${algorithm}";alg="${algorithm}"`
      const request = signed(gateway, {
        parameters,
        key: privateKey,
        algorithm: algorithm as SignatureAlgorithm,
      })
      const answer = (await (await send(request)).json()) as Echo
      expect([algorithm, answer.headers['x-consumer-username']]).toEqual([algorithm, 'bob'])
    }
  })

  test('refuses what is signed wrongly, by a wrong key, too little, too early or too late', async () => {
    const gateway = await start()
    const good = signed(gateway)
    const stranger = createSecretKey('a secret of somebody else, as long', 'utf8')
    const wrong: Record<string, ReturnType<typeof signed>> = {
      'another key': signed(gateway, { key: stranger }),
      'another path': { ...good, url: good.url.replace('/b', '/c') },
      'another query': { ...good, url: `${good.url}&e=f` },
      'another method': { ...good, method: 'DELETE' },
      'an unknown key': signed(gateway, { parameters: `;created=${now()};keyid="eve"` }),
      'no key': signed(gateway, { parameters: `;created=${now()}` }),
      'no creation': signed(gateway, { parameters: ';keyid="ada"' }),
      'created in the future': signed(gateway, { parameters: `;created=${now() + 600};keyid="ada"` }),
      'created long ago': signed(gateway, { parameters: `;created=${now() - 3_600};keyid="ada"` }),
      'created at no time': signed(gateway, { parameters: ';created="now";keyid="ada"' }),
      expired: signed(gateway, { parameters: byAda(`;expires=${now() - 60}`) }),
      'another algorithm': signed(gateway, { parameters: byAda(';alg="ed25519"') }),
      'too little': signed(gateway, { components: '"@method" "@path"' }),
      'the secret for a public key': signed(gateway, { parameters: `;created=${now()};keyid="bob ed25519"` }),
      'only the input': { ...good, headers: { ...good.headers, signature: '' } },
      'another label': {
        ...good,
        headers: { ...good.headers, signature: good.headers.signature.replace('sig1', 'sig2') },
      },
      'a field that is not there': {
        ...good,
        headers: {
          ...good.headers,
          'signature-input': good.headers['signature-input'].replace('("', '("x-none" "'),
        },
      },
      'no structured field': { ...good, headers: { ...good.headers, 'signature-input': '(((' } },
      none: { url: good.url, method: 'GET', headers: {} as never },
    }
    for (const [what, request] of Object.entries(wrong)) {
      const response = await send(request)
      expect([what, response.status]).toEqual([what, 401])
      expect(response.headers.get('accept-signature')).toBe(
        'sig=("@method" "@authority" "@path" "@query");created;keyid',
      )
    }
    expect((await send(good)).status).toBe(200)
    const log = await eventually('the reasons', async () => {
      const text = await gateway.errorLog()
      return text.includes('malformed') && text
    })
    expect(log).toContain('reason="it does not cover @authority"')
    expect(log).not.toContain(secret)
  })

  test('takes no signature for one host at another', async () => {
    const gateway = await start({ required_components: ['@method', '@path'] })
    const { headers } = signed(gateway, { target: '/' })
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const host = new URL(gateway.url).host
    const head = `GET http://other.test/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${lines.join('')}\r\n`
    expect([400, 401]).toContain(statusOf(await sendRaw(gateway.ports.http, head)))
  })

  test('has bodies as they were signed, up to a limit', async () => {
    const gateway = await start({ body_bytes: 1_000 })
    const body = '{"amount":10}'
    const withDigest = (text: string, components = '"@method" "@target-uri" "content-digest"') =>
      signed(gateway, {
        method: 'POST',
        components,
        headers: { 'content-digest': contentDigest(Buffer.from(text)) },
      })
    const response = await send(withDigest(body), body)
    expect(response.status).toBe(200)
    expect(((await response.json()) as Echo).body).toBe(body)
    expect((await send(withDigest(body), '{"amount":99}')).status).toBe(401)
    expect((await send(signed(gateway, { method: 'POST' }), body)).status).toBe(401)
    expect((await send(withDigest(body, '"@method" "@target-uri"'), body)).status).toBe(401)
    const large = 'x'.repeat(1_001)
    expect((await send(withDigest(large), large)).status).toBe(413)
    expect((await send(signed(gateway, { method: 'POST' }))).status).toBe(200)
  })

  test('takes a nonce once, on whichever worker', async () => {
    const gateway = await start({ nonce: 'required' }, { workers: 2 })
    const request = signed(gateway, { parameters: byAda(';nonce="one"') })
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await send(request)).status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(19)
    expect((await send(signed(gateway, { parameters: byAda(';nonce="two"') }))).status).toBe(200)
    const without = await send(signed(gateway))
    expect(without.status).toBe(401)
    expect(without.headers.get('accept-signature')).toMatch(/;nonce$/)
    const metrics = await (await fetch(`${gateway.statusUrl}/metrics`)).text()
    expect(metrics).toContain('plugin="hmac-auth",scope="global",event="replayed"} 19')
  })

  test('looks at signatures of its tag, among several, and lets requests without one pass where it may', async () => {
    const gateway = await start({ tag: 'shop', anonymous: true, hide_credentials: false })
    expect((await send(signed(gateway))).status).toBe(401)
    const other = signed(gateway, { parameters: ';created=1;keyid="elsewhere";tag="proxy"', label: 'proxy' })
    const own = signed(gateway, { parameters: byAda(';tag="shop"') })
    const fields = (['signature-input', 'signature'] as const).map((name) => [
      name,
      `${other.headers[name]}, ${own.headers[name]}`,
    ])
    const response = await send({ ...own, headers: Object.fromEntries(fields) as never })
    const { headers } = (await response.json()) as Echo
    expect(headers['x-consumer-username']).toBe('ada')
    expect(headers).toHaveProperty('signature')
    const plain = (await (await fetch(gateway.url)).json()) as Echo
    expect(plain.headers).not.toHaveProperty('x-consumer-username')
  })

  test('says which settings and credentials are wrong, and quotes no secret', async () => {
    const credentials = [
      { key_id: 'a', algorithm: 'hmac-sha256', secret: 'short-secret' },
      { key_id: 'b', algorithm: 'hmac-sha256', public_key: pem(pairs.ed25519.publicKey) },
      { key_id: 'c', algorithm: 'hmac-sha256', secret, secret_base64: 'YQ==' },
      { key_id: 'd', algorithm: 'ed25519', public_key: pem(pairs['rsa-pss-sha512'].publicKey) },
      { key_id: 'e', algorithm: 'ecdsa-p256-sha256', public_key: pem(pairs['ecdsa-p384-sha384'].publicKey) },
      { key_id: 'f', algorithm: 'ed25519', secret },
      { key_id: 'ada', algorithm: 'hmac-sha256', secret },
    ]
    const { message } = await start(
      { required_components: ['@status'], nonce: 'always' },
      { consumers: [...consumers, { name: 'x', credentials: { 'hmac-auth': credentials } }] },
    ).then(
      () => Promise.reject(new Error('started')),
      (error: Error) => error,
    )
    for (const part of [
      'a secret has at least 32 bytes',
      'hmac-sha256 goes by a secret, not by a public key',
      'needs either secret or secret_base64',
      'ed25519 needs an Ed25519 key',
      'needs a key on the curve P-256',
      'ed25519 goes by a public key, not by a secret',
      'has this credential already',
      'expected @method',
      'found "always"',
    ])
      expect(message).toContain(part)
    expect(message).not.toMatch(/short-secret|long enough/)
  })

  test('never fails, whatever stands in the fields', async () => {
    const gateway = await start()
    const component = fc.constantFrom(
      '"@method"',
      '"@path";x',
      '"@query-param";name="%"',
      '"host";key="a"',
      '"a";bs',
      '1',
      '()',
    )
    const input = fc.oneof(
      fc.string({ unit: 'grapheme-ascii' }),
      fc
        .array(component, { maxLength: 4 })
        .map((list) => `a=(${list.join(' ')});created=${now()};keyid="ada"`),
    )
    const signature = fc.oneof(
      fc.string({ unit: 'grapheme-ascii' }),
      fc.base64String().map((text) => `a=:${text}:`),
    )
    await fc.assert(
      fc.asyncProperty(input, signature, async (inputField, signatureField) => {
        const fields = `Signature-Input: ${inputField}\r\nSignature: ${signatureField}\r\n`
        const head = `GET /?%=%&a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`
        expect([400, 401]).toContain(statusOf(await sendRaw(gateway.ports.http, head)))
      }),
      { numRuns: 150 },
    )
  })
})
