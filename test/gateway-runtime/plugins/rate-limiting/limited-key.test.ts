import { expect, test } from '@jest/globals'
import type { Exchange } from '../../../../gateway-runtime/src/plugins/contract.ts'
import { addressKey, keyReader } from '../../../../gateway-runtime/src/plugins/rate-limiting/limited-key.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:0db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['2001:db8::192.0.2.1', '2001:db8:0:0'],
  ['::', '0:0:0:0'],
])('%s is counted as %s', (address, key) => {
  expect(addressKey(address)).toBe(key)
})

test.each([
  [32, '2001:db8'],
  [48, '2001:db8:abcd'],
  [56, '2001:db8:abcd:ef00'],
  [128, '2001:db8:abcd:ef12:0:0:c000:201'],
])('the first %d bits of an IPv6 address are %s', (prefix, key) => {
  expect(addressKey('2001:db8:abcd:ef12::192.0.2.1', prefix)).toBe(key)
})

const shown = {
  clientAddress: '192.0.2.1',
  consumer: { name: 'alice', customId: undefined, groups: [] },
  claims: { sub: 'alice@example.com', level: 3 },
  request: { path: '/orders', header: (name: string) => ({ apikey: 'k', 'x-tenant': 't' })[name] },
}
const hidden = { clientAddress: '192.0.2.1', request: { path: '/orders', header: () => undefined } }
const settings = { ipv6_prefix: 64, api_key_header: 'apikey', header: 'x-tenant', claim: 'level' }

test.each([
  ['ip', '192.0.2.1', '192.0.2.1'],
  ['consumer', 'consumer alice', '192.0.2.1'],
  ['api-key', 'key k', '192.0.2.1'],
  ['header', 'header t', '192.0.2.1'],
  ['jwt-claim', 'claim 3', '192.0.2.1'],
  ['path', 'path /orders', 'path /orders'],
] as const)(
  'by %s a request is counted as %s, or where it does not show that as %s',
  (by, key, otherwise) => {
    const keyOf = keyReader({ ...settings, by })
    expect(keyOf(shown as unknown as Exchange)).toBe(key)
    expect(keyOf(hidden as unknown as Exchange)).toBe(otherwise)
  },
)
