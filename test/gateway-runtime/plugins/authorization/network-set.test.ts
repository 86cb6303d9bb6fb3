import { BlockList, isIPv4 } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isNetwork, NetworkSet } from '../../../../gateway-runtime/src/plugins/authorization/network-set.ts'

describe('a set of networks', () => {
  test('finds the narrowest that an address is in', () => {
    const set = new NetworkSet([
      '10.0.0.0/8',
      '10.1.0.0/16',
      '10.1.2.3',
      '2001:db8::/32',
      '2001:db8::1',
      '::/0',
    ])
    expect(set.find('10.1.2.3')).toBe('10.1.2.3')
    expect(set.find('10.1.9.9')).toBe('10.1.0.0/16')
    expect(set.find('10.9.9.9')).toBe('10.0.0.0/8')
    expect(set.find('11.0.0.0')).toBe(undefined)
    expect(set.find('2001:db8::1')).toBe('2001:db8::1')
    expect(set.find('2001:DB8:0:0::2')).toBe('2001:db8::/32')
    expect(set.find('fe80::1%eth0')).toBe('::/0')
    expect(set.find('::ffff:10.1.2.3')).toBe('10.1.2.3')
  })

  test.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '1.2.3.4/-1',
    'x',
    '',
    'fe80::1%eth0',
  ])('refuses %j', (text) => expect(isNetwork(text)).toBe(false))

  test('takes 0.0.0.0/0, host bits, and IPv4 within IPv6', () => {
    expect(new NetworkSet(['0.0.0.0/0']).find('255.1.2.3')).toBe('0.0.0.0/0')
    expect(new NetworkSet(['10.9.9.9/8']).find('10.1.1.1')).toBe('10.9.9.9/8')
    expect(new NetworkSet(['::ffff:10.0.0.0/104']).find('10.1.1.1')).toBe('::ffff:10.0.0.0/104')
    expect(new NetworkSet(['::ffff:10.0.0.0/104']).find('11.1.1.1')).toBe(undefined)
  })

  test('never throws for a text that is no address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV6()), (text) => {
        new NetworkSet(['10.0.0.0/8', '::/3']).find(text)
        isNetwork(text)
      }),
    )
  })

  // The block list of Node.js is an independent opinion.
  test('agrees with the block list of Node.js', () => {
    const network = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    )
    const isMapped = (address: string) => new BlockListOf(['::ffff:0:0', 96]).has(address)
    fc.assert(
      fc.property(
        fc.array(network, { minLength: 1, maxLength: 20 }),
        fc.oneof(fc.ipV4(), fc.ipV6()),
        (list, address) => {
          fc.pre(!isMapped(address) && !list.some(([own]) => isMapped(own)))
          const set = new NetworkSet(list.map(([own, length]) => `${own}/${length}`))
          const found = set.find(address) !== undefined
          expect(found).toBe(
            list.some((entry) => isIPv4(entry[0]) === isIPv4(address) && new BlockListOf(entry).has(address)),
          )
        },
      ),
    )
  })
})

class BlockListOf {
  readonly #list = new BlockList()
  constructor([address, length]: readonly [string, number]) {
    this.#list.addSubnet(address, length, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
  has(address: string): boolean {
    return !isIPv4(address) && this.#list.check(address, 'ipv6')
      ? true
      : isIPv4(address) && this.#list.check(address)
  }
}
