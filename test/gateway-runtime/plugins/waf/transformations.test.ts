import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  ChainRegistry,
  TransformedValue,
  transformationNames,
} from '../../../../gateway-runtime/src/plugins/waf/transformations/chain.ts'

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'aZ09 %+&;\\/*#-<>!.\'"^,(\t\n\r\v\0\xa0\xc2\xe9ux41lt'.split('')) }),
  fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)) }),
  fc.string({ unit: fc.constantFrom(...'abc019_'.split('')) }),
)

test('a value goes through each transformation of a chain, or comes out as if it had', () => {
  const registry = new ChainRegistry()
  fc.assert(
    fc.property(text, fc.array(fc.constantFrom(...transformationNames), { maxLength: 4 }), (raw, names) => {
      const plain = names.reduce((value, name) => registry.chain([name]).last(value), raw)
      expect(new TransformedValue(raw).through(registry.chain(names))).toBe(plain)
    }),
    { numRuns: 3_000 },
  )
})

test.each([
  ['cat /etc/passwd', 'cat/etc/passwd'],
  ['C^at  "/etc/\\passwd"', 'cat/etc/passwd'],
  ['a,;\t b', 'a b'],
  ['x ( y', 'x( y'],
  [' , ', ' '],
])('cmdLine makes %j of %j', (raw, expected) => {
  expect(new TransformedValue(raw).through(new ChainRegistry().chain(['cmdLine']))).toBe(expected)
})
