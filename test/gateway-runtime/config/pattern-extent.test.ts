import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { PatternExtent } from '../../../gateway-runtime/src/config/pattern-extent.ts'
import { patternSample } from '../../../gateway-runtime/src/config/pattern-sample.ts'
import { compilePattern, patternProblem } from '../../../gateway-runtime/src/config/route-pattern.ts'
import { expression } from './generated-patterns.ts'

const text = fc
  .array(fc.constantFrom('a', 'b', '/', '1', '!'), { maxLength: 8 })
  .map((parts) => parts.join(''))
const source = fc
  .tuple(fc.constantFrom('', '/', '/a/', '/a|', 'ab'), expression, fc.constantFrom('', '', '$'))
  .map((parts) => parts.join(''))
  .filter((source) => patternProblem(`~${source}`, source) === undefined)

describe('what all texts begin with that an expression matches', () => {
  test.each([
    ['/v1/orders', '/v1/orders'],
    ['/v1/\\d+', '/v1/'],
    ['\\/v1\\.json', '/v1.json'],
    ['/ab*', '/a'],
    ['/ab?c', '/a'],
    ['/ab+c', '/ab'],
    ['/ab{2}', '/a'],
    ['/a(?:b|c)', '/a'],
    ['/[|]|b', ''],
    ['/a[|(]b', '/a'],
    ['/a\\|b', '/a|b'],
    ['/a|/b', ''],
    ['.*', ''],
    ['\\w', ''],
  ])('%s: %j', (source, start) => {
    expect(new PatternExtent(source).start).toBe(start)
  })

  test('is so for every text', () => {
    let matched = 0
    fc.assert(
      fc.property(source, fc.array(text, { minLength: 10, maxLength: 10 }), (source, texts) => {
        const { start } = new PatternExtent(source)
        const pattern = compilePattern(source)
        for (const text of texts.flatMap((text) => [text, start + text])) {
          if (!pattern.test(text)) continue
          matched++
          expect(text.startsWith(start)).toBe(true)
        }
      }),
      { numRuns: 400 },
    )
    expect(matched).toBeGreaterThan(200)
  })
})

test('an expression that is said to match all that begins so does', () => {
  let claims = 0
  fc.assert(
    fc.property(source, text, fc.array(text, { minLength: 5, maxLength: 5 }), (source, prefix, ends) => {
      if (!new PatternExtent(source).matchesAllFrom(prefix)) return
      claims++
      for (const end of ends) expect(compilePattern(source).test(prefix + end)).toBe(true)
    }),
    { numRuns: 600 },
  )
  expect(claims).toBeGreaterThan(5)
})

test('an expression that is said to match all that another does, does', () => {
  let claims = 0
  fc.assert(
    fc.property(source, source, fc.array(text, { minLength: 10, maxLength: 10 }), (wide, narrow, texts) => {
      const other = new PatternExtent(narrow)
      if (!new PatternExtent(wide).takesAll(other)) return
      claims++
      for (const text of texts.flatMap((text) => [text, other.start + text])) {
        if (compilePattern(narrow).test(text)) expect(compilePattern(wide).test(text)).toBe(true)
      }
    }),
    { numRuns: 800 },
  )
  expect(claims).toBeGreaterThan(5)
})

describe('a sample', () => {
  test.each([
    ['/v1/(orders|items)/\\d+$', '/v1/orders/1'],
    ['/[^/]+/x', '/a/x'],
    ['/[0-9a-f]{2,4}-\\w*', '/aa-'],
    ['/(?<id>a|b)?/(?:c)', '//c'],
    ['\\/a\\.b', '/a.b'],
    ['.*', ''],
    ['a\\Bb', 'ab'],
    ['a$b', undefined],
    ['[^\\s\\S]', undefined],
  ])('of %s: %j', (source, sample) => {
    expect(patternSample(source)).toBe(sample)
  })

  test('is matched from beginning to end', () => {
    fc.assert(
      fc.property(source, (source) => {
        const sample = patternSample(source)
        if (sample !== undefined) expect(compilePattern(source).exec(sample)?.[0]).toBe(sample)
      }),
      { numRuns: 300 },
    )
  })
})
