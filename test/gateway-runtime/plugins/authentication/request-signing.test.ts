import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, expect, test } from '@jest/globals'
import { isDigestOf } from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/content-digest.ts'
import { isSignature } from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-algorithms.ts'
import { signatureBase } from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/signature-base.ts'
import {
  type InnerList,
  type Item,
  parseDictionary,
} from '../../../../gateway-runtime/src/plugins/authentication/http-signatures/structured-fields.ts'
import { startGateway, type TestGateway } from '../../../support/gateway.ts'
import { type Echo, startUpstream } from '../../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const secret = 'a secret of gateway and service, long enough'
const ada = {
  name: 'ada',
  groups: ['gold', 'beta'],
  credentials: { 'key-auth': [{ key: 'the-key-of-ada' }] },
}
const asymmetric = {
  key_id: 'gateway',
  algorithm: 'ecdsa-p256-sha256',
  private_key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
}

async function newGateway(config: object): Promise<TestGateway> {
  const gateway = await startGateway({ config })
  ended.push(() => gateway.stop())
  return gateway
}

/** A gateway that signs, in front of one that verifies, in front of a service. */
async function start(config: object, required: readonly string[]) {
  const upstream = await startUpstream()
  ended.push(() => upstream.stop())
  const credential = {
    key_id: 'gateway',
    algorithm: 'ecdsa-p256-sha256',
    public_key: String(publicKey.export({ type: 'spki', format: 'pem' })),
  }
  const inner = await newGateway({
    services: [{ name: 'echo', url: upstream.url }],
    routes: [{ name: 'all', service: 'echo', paths: ['/'], strip_path: false }],
    consumers: [{ name: 'outer-gateway', credentials: { 'hmac-auth': [credential] } }],
    plugins: [
      {
        name: 'hmac-auth',
        config: { required_components: required, nonce: 'optional', hide_credentials: false },
      },
    ],
  })
  const outer = await newGateway({
    services: [{ name: 'inner', url: `${inner.url}/base` }],
    routes: [{ name: 'shop', service: 'inner', paths: ['/shop'] }],
    plugins: [{ name: 'request-signing', config }],
  })
  return outer
}

/** Whether the signature of the gateway is right for a request as a service got it. */
function isSigned({ method, url, headers }: Echo): boolean | Promise<boolean> {
  const [path = '', query] = url.split('?')
  const input = parseDictionary(String(headers['signature-input']))?.get('gateway') as InnerList
  const signature = parseDictionary(String(headers.signature))?.get('gateway') as Item
  const base = signatureBase(
    {
      method,
      scheme: '',
      authority: '',
      path,
      query: query === undefined ? '' : `?${query}`,
      headers: () => Object.entries(headers).map(([name, value]) => [name, String(value)] as const),
    },
    input,
  )
  return isSignature(base, signature.bare.value as Buffer, publicKey, 'ecdsa-p256-sha256')
}

describe('request-signing', () => {
  test('signs what services get: the path as it was rewritten, the body and the consumer', async () => {
    const upstream = await startUpstream()
    ended.push(() => upstream.stop())
    const gateway = await newGateway({
      services: [{ name: 'echo', url: `${upstream.url}/base` }],
      routes: [{ name: 'shop', service: 'echo', paths: ['/shop'] }],
      consumers: [ada],
      plugins: [{ name: 'key-auth' }, { name: 'request-signing', config: { ...asymmetric, nonce: true } }],
    })
    const response = await fetch(`${gateway.url}/shop/orders?apikey=the-key-of-ada&a=1`, {
      method: 'POST',
      body: '{"amount":10}',
      headers: { 'content-type': 'application/json', signature: 'mine=:AAAA:', 'signature-input': 'mine=()' },
    })
    expect(response.status).toBe(200)
    const got = (await response.json()) as Echo
    expect(got.url).toBe('/base/orders?a=1')
    expect(got.headers['signature-input']).toMatch(
      /^gateway=\("@method" "@path" "@query" "content-type" "content-digest" "x-consumer-username" "x-consumer-groups"\);created=\d+;expires=\d+;keyid="gateway";alg="ecdsa-p256-sha256";nonce="[\w-]+"$/,
    )
    expect(await isSigned(got)).toBe(true)
    expect(isDigestOf(Buffer.from(got.body), String(got.headers['content-digest']))).toBe(true)
    for (const change of [
      { method: 'PUT' },
      { url: '/base/orders?a=2' },
      { headers: { ...got.headers, 'x-consumer-username': 'root' } },
      { headers: { ...got.headers, 'content-digest': 'sha-256=:AAAA:' } },
    ])
      expect(await isSigned({ ...got, ...change })).toBe(false)
  })

  test('signs requests without a body, without a consumer, as often as they are made', async () => {
    const outer = await start(asymmetric, ['@method', '@path', '@query'])
    for (const path of ['/shop', '/shop/', '/shop/a?b', '/shop/%41'])
      expect([path, (await fetch(outer.url + path)).status]).toEqual([path, 200])
  })

  test('says which settings are wrong, and quotes no key', async () => {
    const messageOf = (config: object) =>
      newGateway({ plugins: [{ name: 'request-signing', config }] }).then(
        () => Promise.reject(new Error('started')),
        (error: Error) => error.message,
      )
    expect(await messageOf({ ...asymmetric, algorithm: 'ed25519' })).toContain('needs an Ed25519 key')
    const wrong = await messageOf({ ...asymmetric, secret, components: ['@authority', 'content-length'] })
    expect(wrong).toContain('needs private_key, as PEM text, and no secret')
    expect(wrong.match(/or a header that services get as it is/g)).toHaveLength(2)
    expect(wrong).not.toMatch(/PRIVATE|long enough/)
  })
})
