import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  compileSet,
  re2Engine,
  rustEngine,
  writeForSet,
} from '../../../../gateway-runtime/src/plugins/waf/regex/engine.ts'
import { parsePattern } from '../../../../gateway-runtime/src/plugins/waf/regex/pattern-parser.ts'
import { PhraseMatcher } from '../../../../gateway-runtime/src/plugins/waf/regex/phrase-matcher.ts'
import { relaxedPattern } from '../../../../gateway-runtime/src/plugins/waf/regex/relaxed-pattern.ts'

/** Patterns with the means that rules use; JavaScript reads them alike, with the flags s, m and no Unicode. */
const patterns = [
  'a+b',
  '(?:^|[^a-z])(sel)ect\\b',
  '[\\s\'"`]*?\\d+[^\\x00-\\x1f]',
  '\\bon\\w+\\s*=',
  '(a)|(b)(c)?',
  '^\\W{2,4}$',
  'x{2}y{,3}z',
  '[]a-]{1,2}',
  '\\xe9|\\x7f',
]
const javascript = (pattern: string) =>
  new RegExp(pattern.replace('y{,3}', 'y\\{,3\\}').replace('[]a-]', '[\\]a-]'), 'sm')
const text = fc.string({
  unit: fc.constantFrom(...'abcselectonz=\'"` \n1290-_]y{,3}\xe9\x7f\x00<('.split('')),
  maxLength: 40,
})

describe('linear-time expressions', () => {
  test.each(patterns)('%s matches as in JavaScript, in both engines', (pattern) => {
    const parsed = parsePattern(pattern)
    const engines = [rustEngine, re2Engine].map((engine) => engine.compile(parsed))
    fc.assert(
      fc.property(text, (value) => {
        const expected = javascript(pattern).exec(value)
        for (const regex of engines) {
          expect(regex.test(value)).toBe(expected !== null)
          expect(regex.match(value)).toEqual(expected ? [...expected].map((group) => group ?? '') : undefined)
        }
      }),
    )
  })

  test('a set over values of a line each finds every pattern that one of the values matches', () => {
    const set = compileSet(patterns.map((pattern) => writeForSet(relaxedPattern(parsePattern(pattern)))))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (values) => {
        const found = new Set(set.matches(values.join('\n')))
        patterns.forEach((pattern, index) => {
          if (values.some((value) => rustEngine.compile(parsePattern(pattern)).test(value))) {
            expect(found.has(index)).toBe(true)
          }
        })
      }),
      { numRuns: 50 },
    )
  })

  test.each(['(?=a)b', '(?<!a)b', '(a)\\1', '\\p{L}', '(', 'a)', '[z-a]', '*a'])(
    '%s is refused',
    (pattern) => {
      expect(() => parsePattern(pattern)).toThrow()
    },
  )

  test('letters of both cases where the flag says so, bytes beyond ASCII as they are', () => {
    const regex = rustEngine.compile(parsePattern('(?i)sel\\xe9|(?-i:Q)x'))
    expect(regex.test('SEL\xe9')).toBe(true)
    expect(regex.test('sel\xc9')).toBe(false)
    expect(regex.test('QX')).toBe(true)
    expect(regex.test('qX')).toBe(false)
  })
})

test('phrases are found wherever they are, and each list for itself', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'C', '/'), minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(
      fc.array(fc.array(letters, { maxLength: 4 }), { maxLength: 4 }),
      fc.string({ unit: fc.constantFrom('a', 'B', 'c', '/'), maxLength: 20 }),
      (lists, value) => {
        const found = new PhraseMatcher(lists).lists(value)
        lists.forEach((list, index) => {
          const expected = list.some((phrase) => value.toLowerCase().includes(phrase.toLowerCase()))
          expect(found.has(index)).toBe(expected)
        })
      },
    ),
  )
})
