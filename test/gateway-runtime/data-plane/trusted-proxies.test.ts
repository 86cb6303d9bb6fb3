import { describe, expect, test } from '@jest/globals'
import { TrustedProxies } from '../../../gateway-runtime/src/data-plane/trusted-proxies.ts'

describe('the address of a client', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'])

  test.each([
    ['203.0.113.9', '1.2.3.4', '203.0.113.9', 'a peer that is not trusted is the client'],
    ['10.0.0.1', '1.2.3.4', '1.2.3.4', 'a trusted peer says who it is'],
    [
      '10.0.0.1',
      '6.6.6.6, 1.2.3.4, 10.9.9.9',
      '1.2.3.4',
      'trusted hops are passed, what stands before is not believed',
    ],
    ['10.0.0.1', 'nonsense', '10.0.0.1', 'what is no address ends the search'],
    ['10.0.0.1', '10.0.0.2', '10.0.0.2', 'all are trusted: the farthest'],
    ['192.0.2.7', '[2001:db9::1]:4711', '2001:db9::1', 'IPv6 with brackets and port'],
    ['2001:db8::5', '1.2.3.4', '1.2.3.4', 'a trusted IPv6 network'],
  ])('peer %s with X-Forwarded-For %s is %s: %s', (peer, forwarded, client) => {
    expect(proxies.clientAddress(peer, forwarded)).toBe(client)
  })

  test('nobody is trusted without a setting', () => {
    expect(new TrustedProxies([]).clientAddress('127.0.0.1', '1.2.3.4')).toBe('127.0.0.1')
  })
})
