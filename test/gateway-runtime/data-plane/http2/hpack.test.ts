import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { headerName } from '../../../../gateway-runtime/src/data-plane/http1/header-name.ts'
import { HpackDecoder } from '../../../../gateway-runtime/src/data-plane/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../../gateway-runtime/src/data-plane/http2/hpack/encoder.ts'
import { HpackError } from '../../../../gateway-runtime/src/data-plane/http2/hpack/hpack-error.ts'

const generous = { listBytes: 1e9, fields: 1e9 }
const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')

function decode(decoder: HpackDecoder, block: Buffer, limits = generous): string[] {
  const fields: string[] = []
  decoder.decode(block, limits, { onField: (name, value) => fields.push(`${name.raw}: ${value}`) })
  return fields
}

const requests = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ],
]
const responses = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
]

// RFC 7541 appendix C: three blocks that share a table each.
describe('the examples of the specification', () => {
  test.each([
    [
      'C.3, requests in plain',
      4_096,
      requests,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4, requests in Huffman code',
      4_096,
      requests,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
    [
      'C.6, responses, with a table so small that fields are evicted',
      256,
      responses,
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s', (_, tableSize, expected, blocks) => {
    const decoder = new HpackDecoder(tableSize)
    expect(blocks.map((block) => decode(decoder, hex(block)))).toEqual(expected)
  })
})

describe('what one side encodes the other decodes', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
  const latin1 = fc
    .array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
  const field = fc.tuple(
    fc.oneof(name, fc.constantFrom('content-type', 'cookie', 'authorization', 'accept', 'via')),
    fc.oneof(latin1, fc.constantFrom('gzip, deflate', 'application/json', '', 'a=b')),
  )
  const block = fc.record({
    fields: fc.array(field, { maxLength: 30 }),
    peerSizes: fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 3 }),
  })

  test('over many blocks and sizes of the table', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), (blocks) => {
        const encoder = new HpackEncoder(4_096)
        const decoder = new HpackDecoder(4_096)
        for (const { fields, peerSizes } of blocks) {
          for (const size of peerSizes) encoder.setPeerTableSize(size)
          encoder.begin()
          for (const [name, value] of fields) encoder.field(headerName(name), value)
          expect(decode(decoder, Buffer.from(encoder.end()))).toEqual(
            fields.map(([name, value]) => `${name}: ${value}`),
          )
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a field that comes again takes a byte, a secret is never in a table', () => {
    const encoder = new HpackEncoder(4_096)
    const encode = (name: string, value: string) => {
      encoder.begin()
      encoder.field(headerName(name), value)
      return Buffer.from(encoder.end())
    }
    encode('x-version', '17')
    expect(encode('x-version', '17')).toHaveLength(1)
    encode('authorization', 'Bearer abc')
    const again = encode('authorization', 'Bearer abc')
    expect(again.length).toBeGreaterThan(5)
    expect(again[0]! & 0xf0).toBe(0x10)
  })
})

describe('a block that is refused', () => {
  test.each([
    ['an index of no field', 'be'],
    ['index 0', '80'],
    ['a truncated name', '400a6375'],
    ['a truncated number', '7f'],
    ['a number without end', 'ffffffffffffffffff'],
    ['a number too large', 'ff80808080 10'],
    ['padding that is not ones', '0001 61 81 18'],
    ['padding of eight bits', '0001 61 82 1fff'],
    ['the end of a string within it', '0001 61 84 ffff ffff'],
    ['a table larger than announced', '3fe23f'],
    ['a table size behind a field', '82 20'],
  ])('%s', (_, block) => {
    expect(() => decode(new HpackDecoder(4_096), hex(block))).toThrow(HpackError)
  })

  test('one over the limits gives no more fields, and keeps the table right', () => {
    const decoder = new HpackDecoder(4_096)
    const encoder = new HpackEncoder(4_096)
    encoder.begin()
    for (const name of ['a', 'b', 'c']) encoder.field(headerName(name), 'value')
    const fields: string[] = []
    const sink = { onField: (name: { raw: string }) => fields.push(name.raw) }
    expect(decoder.decode(Buffer.from(encoder.end()), { listBytes: 80, fields: 10 }, sink)).toBe(false)
    expect(fields).toEqual(['a', 'b'])
    encoder.begin()
    encoder.field(headerName('c'), 'value')
    expect(decode(decoder, Buffer.from(encoder.end()))).toEqual(['c: value'])
  })

  test('bytes at random are refused or decoded, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(new HpackDecoder(4_096), Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
