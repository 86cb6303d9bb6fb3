import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseNetwork, subnetCidr, type Tier } from '../../../constructs/aws/cidr.ts'

const tiers: readonly Tier[] = ['public', 'private', 'data']
const letters = [...'abcdefgh']

/** A network of a prefix length from /16 to /23, anywhere in 10.0.0.0/8. */
const vpcCidr = fc.tuple(fc.nat(2 ** 24 - 1), fc.integer({ min: 16, max: 23 })).map(([offset, prefix]) => {
  const first = offset - (offset % 2 ** (32 - prefix))
  return `10.${(first >> 16) & 255}.${(first >> 8) & 255}.${first & 255}/${prefix}`
})

const range = (cidr: string) => {
  const { first, prefix } = parseNetwork(cidr)
  return { first, last: first + 2 ** (32 - prefix) - 1, prefix }
}

describe('subnetCidr', () => {
  test('gives known networks', () => {
    expect(subnetCidr('10.20.0.0/16', 'eu-central-1a', 'private')).toBe('10.20.0.0/20')
    expect(subnetCidr('10.20.0.0/16', 'eu-central-1a', 'public')).toBe('10.20.16.0/21')
    expect(subnetCidr('10.20.0.0/16', 'eu-central-1a', 'data')).toBe('10.20.24.0/21')
    expect(subnetCidr('10.20.0.0/16', 'eu-central-1c', 'data')).toBe('10.20.88.0/21')
  })

  test('gives subnets that lie in the VPC, are apart from each other and as large as AWS demands', () => {
    fc.assert(
      fc.property(vpcCidr, (cidr) => {
        const vpc = range(cidr)
        const subnets = letters
          .flatMap((letter) => tiers.map((tier) => range(subnetCidr(cidr, `us-east-1${letter}`, tier))))
          .sort((a, b) => a.first - b.first)
        expect(subnets[0]!.first).toBeGreaterThanOrEqual(vpc.first)
        expect(subnets.at(-1)!.last).toBeLessThanOrEqual(vpc.last)
        for (const [index, subnet] of subnets.entries()) {
          expect(subnet.prefix).toBeLessThanOrEqual(28)
          if (index > 0) expect(subnet.first).toBeGreaterThan(subnets[index - 1]!.last)
        }
      }),
    )
  })

  test.each([
    ['10.0.0.1/16', 'eu-central-1a', 'did you mean 10.0.0.0/16?'],
    ['10.0.0.0/24', 'eu-central-1a', 'expected a network from /16 to /23, got 10.0.0.0/24'],
    ['10.0.0.0/15', 'eu-central-1a', 'expected no bits past the prefix|expected a network from /16 to /23'],
    ['10.0.0/16', 'eu-central-1a', 'expected an IPv4 network such as 10.20.0.0/16, got "10.0.0/16"'],
    ['256.0.0.0/16', 'eu-central-1a', 'expected an IPv4 network'],
    ['10.0.0.0/33', 'eu-central-1a', 'expected an IPv4 network'],
    [
      '10.0.0.0/16',
      'eu-central-1',
      'expected an availability zone such as eu-central-1a, got "eu-central-1"',
    ],
  ])('refuses %s in %s', (cidr, zone, message) => {
    expect(() => subnetCidr(cidr, zone, 'public')).toThrow(new RegExp(message.replaceAll('?', '\\?')))
  })
})
