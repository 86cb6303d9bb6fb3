import { isIPv6, SocketAddress } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { assert, constantFrom, integer, ipV4, ipV6, property, record, tuple, uint8Array } from 'fast-check'
import type { ConnectionEnds } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/connection-ends.ts'
import { crc32c } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/crc32c.ts'
import { proxyHeaderBytes } from '../../../../gateway-runtime/src/data-plane/proxy-protocol/header-bytes.ts'
import {
  ProxyHeaderError,
  parseProxyHeader,
} from '../../../../gateway-runtime/src/data-plane/proxy-protocol/header-parser.ts'
import { plainAddress } from '../../../../gateway-runtime/src/data-plane/trusted-proxies.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const parse = (text: string) => parseProxyHeader(Buffer.from(text, 'latin1'))

/** A header of version 2 with any command, family and content. */
function binary(command: number, family: number, content: Uint8Array | number[]): Buffer {
  const head = Buffer.alloc(16)
  signature.copy(head)
  head[12] = command
  head[13] = family
  head.writeUInt16BE(content.length, 14)
  return Buffer.concat([head, Buffer.from(content)])
}

const ipv4Content = [192, 0, 2, 1, 198, 51, 100, 7, 0x30, 0x39, 0x01, 0xbb]
const ipv4Ends: ConnectionEnds = {
  sourceAddress: '192.0.2.1',
  sourcePort: 12_345,
  destinationAddress: '198.51.100.7',
  destinationPort: 443,
}
const ipv6Content = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd],
  ...[0x30, 0x39, 0x01, 0xbb],
]
const tlv = (type: number, value: number[]) => [type, value.length >> 8, value.length & 255, ...value]

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n', ipv4Ends],
    [
      'PROXY TCP6 2001:DB8::1 2001:db8::abcd 0 65535\r\n',
      {
        sourceAddress: '2001:db8::1',
        sourcePort: 0,
        destinationAddress: '2001:db8::abcd',
        destinationPort: 65_535,
      },
    ],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6407 12345 443\r\n', ipv4Ends],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN ffff::1 whatever this is\r\n', undefined],
  ])('%j', (text, ends) => {
    expect(parse(`${text}GET / HTTP/1.1`)).toEqual({ length: text.length, ends })
  })

  test.each([
    'GET / HTTP/1.1\r\n',
    'proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n',
    ' PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 +1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n',
    'PROXY TCP4 192.0.2.01 198.51.100.7 1 2\r\n',
    'PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n',
    'PROXY TCP4 ::1 ::2 1 2\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n',
    'PROXY TCP6 [::1] ::2 1 2\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY\tTCP4 192.0.2.1 198.51.100.7 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'x'.repeat(200)}`,
  ])('is refused: %j', (text) => {
    expect(() => parse(text)).toThrow(ProxyHeaderError)
  })

  test('has up to 107 bytes', () => {
    const longest = `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`
    expect(longest).toHaveLength(107)
    expect(parse(longest)).toEqual({ length: 107, ends: undefined })
    expect(parse(`PROXY UNKNOWN ${'x'.repeat(91)}\r`)).toBeUndefined()
  })
})

describe('version 2', () => {
  test.each([
    ['TCP over IPv4', binary(0x21, 0x11, ipv4Content), ipv4Ends],
    [
      'TCP over IPv6',
      binary(0x21, 0x21, ipv6Content),
      {
        sourceAddress: '2001:db8::1',
        sourcePort: 12_345,
        destinationAddress: '2001:db8::abcd',
        destinationPort: 443,
      },
    ],
    [
      'IPv4 within IPv6',
      binary(0x21, 0x21, [
        ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1],
        ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 198, 51, 100, 7],
        ...[0x30, 0x39, 0x01, 0xbb],
      ]),
      ipv4Ends,
    ],
    ['extensions', binary(0x21, 0x11, [...ipv4Content, ...tlv(0x04, []), ...tlv(0xea, [1, 2, 3])]), ipv4Ends],
    ['LOCAL', binary(0x20, 0x00, []), undefined],
    ['LOCAL with addresses', binary(0x20, 0x11, ipv4Content), undefined],
    ['LOCAL with anything', binary(0x20, 0xff, [1, 2, 3]), undefined],
    ['unspecified', binary(0x21, 0x00, [1, 2, 3]), undefined],
  ])('%s', (_, bytes, ends) => {
    expect(parseProxyHeader(Buffer.concat([bytes, Buffer.from('\x16\x03\x01')]))).toEqual({
      length: bytes.length,
      ends,
    })
  })

  test.each([
    ['version 1', binary(0x11, 0x11, ipv4Content)],
    ['version 3', binary(0x31, 0x11, ipv4Content)],
    ['another command', binary(0x22, 0x11, ipv4Content)],
    ['UDP', binary(0x21, 0x12, ipv4Content)],
    ['a Unix socket', binary(0x21, 0x31, Array(216).fill(0))],
    ['too short for IPv4', binary(0x21, 0x11, ipv4Content.slice(0, 11))],
    ['too short for IPv6', binary(0x21, 0x21, ipv6Content.slice(0, 35))],
    ['too long', binary(0x21, 0x11, [...ipv4Content, ...tlv(0x04, Array(4_096).fill(0))])],
    ['an extension without its length', binary(0x21, 0x11, [...ipv4Content, 4, 0])],
    ['an extension that is cut off', binary(0x21, 0x11, [...ipv4Content, 4, 0, 2, 1])],
    ['a checksum of three bytes', binary(0x21, 0x11, [...ipv4Content, ...tlv(3, [1, 2, 3])])],
    ['a wrong checksum', binary(0x21, 0x11, [...ipv4Content, ...tlv(3, [1, 2, 3, 4])])],
    ['a wrong signature', Buffer.from('\r\n\r\n\0\r\nQUIT\r\n', 'latin1')],
  ])('is refused: %s', (_, bytes) => {
    expect(() => parseProxyHeader(bytes)).toThrow(ProxyHeaderError)
  })

  test('is refused by what cannot become right, before its end', () => {
    expect(() => parseProxyHeader(binary(0x21, 0x12, []).subarray(0, 14))).toThrow(ProxyHeaderError)
    expect(() => parseProxyHeader(binary(0x21, 0x11, Array(5_000).fill(0)).subarray(0, 16))).toThrow(
      ProxyHeaderError,
    )
  })

  test('with a checksum that is right', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283) // RFC 3720 appendix B.4 has the same polynomial
    const bytes = binary(0x21, 0x11, [...ipv4Content, ...tlv(0x05, [1]), ...tlv(3, [0, 0, 0, 0])])
    bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4)
    expect(parseProxyHeader(bytes)).toEqual({ length: bytes.length, ends: ipv4Ends })
    for (let bit = 0; bit < 8; bit++) {
      const spoilt = Buffer.from(bytes)
      spoilt[19]! ^= 1 << bit
      expect(() => parseProxyHeader(spoilt)).toThrow('checksum')
    }
  })
})

const port = integer({ min: 0, max: 65_535 })
const endsOf = (address: typeof ipV4) =>
  record({ sourceAddress: address(), sourcePort: port, destinationAddress: address(), destinationPort: port })
const version = constantFrom('v1' as const, 'v2' as const)
describe('what is written', () => {
  test('is read the same, and every part of it is incomplete', () => {
    for (const ends of [endsOf(ipV4), endsOf(ipV6)]) {
      assert(
        property(version, ends, uint8Array({ maxLength: 8 }), (version, ends, rest) => {
          const header = proxyHeaderBytes(version, ends)
          const all = Buffer.concat([header, rest])
          for (let length = 0; length < header.length; length++)
            expect(parseProxyHeader(all.subarray(0, length))).toBeUndefined()
          const parsed = parseProxyHeader(all)
          expect(parsed!.length).toBe(header.length)
          expect(parsed!.ends!.sourceAddress).toBe(canonical(ends.sourceAddress))
          expect(parsed!.ends!.destinationAddress).toBe(canonical(ends.destinationAddress))
          expect(parsed!.ends).toMatchObject({
            sourcePort: ends.sourcePort,
            destinationPort: ends.destinationPort,
          })
        }),
        { numRuns: 200 },
      )
    }
  })

  test('has one family for both ends', () => {
    const ends = { ...ipv4Ends, destinationAddress: '2001:db8::1' }
    expect(proxyHeaderBytes('v1', ends).toString()).toBe(
      'PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 12345 443\r\n',
    )
    expect(parseProxyHeader(proxyHeaderBytes('v2', ends))!.ends).toEqual(ends)
  })
})

/** One text for one address, by the URL parser of the system; IPv4 within IPv6 is IPv4. */
function canonical(address: string): string {
  if (!isIPv6(address)) return address
  const plain = plainAddress(new SocketAddress({ address, family: 'ipv6' }).address)
  return isIPv6(plain) ? new URL(`http://[${plain}]`).hostname.slice(1, -1) : plain
}

describe('bytes that somebody invents', () => {
  test('give one answer, however they are split', () => {
    const line = tuple(
      constantFrom('PROXY TCP4 ', 'PROXY TCP6 ', 'PROXY UNKNOWN', 'PROX', ''),
      uint8Array({ maxLength: 120 }),
    ).map(([start, rest]) => Buffer.concat([Buffer.from(start), rest, Buffer.from('\r\n')]))
    const block = tuple(
      integer({ min: 0, max: 255 }),
      integer({ min: 0, max: 255 }),
      uint8Array({ maxLength: 60 }),
    ).map(([command, family, content]) => binary(command, family, content))
    for (const bytes of [line, block]) {
      assert(
        property(bytes, (all) => {
          const outcomes: string[] = []
          for (let length = 0; length <= all.length; length++)
            outcomes.push(outcomeOf(all.subarray(0, length)))
          // Incomplete until some byte; from there on always the same.
          const decided = outcomes.findIndex((outcome) => outcome !== 'incomplete')
          if (decided < 0) return
          expect(new Set(outcomes.slice(decided)).size).toBe(1)
        }),
        { numRuns: 300 },
      )
    }
  })
})

function outcomeOf(bytes: Buffer): string {
  try {
    const header = parseProxyHeader(bytes)
    return header ? JSON.stringify(header) : 'incomplete'
  } catch (error) {
    if (!(error instanceof ProxyHeaderError)) throw error
    return 'refused'
  }
}
