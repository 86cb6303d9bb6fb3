import { existsSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Screen } from '../../../../gateway-runtime/src/plugins/waf/engine/screen.ts'
import { rustEngine } from '../../../../gateway-runtime/src/plugins/waf/regex/engine.ts'
import { requirementsOf } from '../../../../gateway-runtime/src/plugins/waf/regex/factors.ts'
import { parsePattern } from '../../../../gateway-runtime/src/plugins/waf/regex/pattern-parser.ts'
import { readRules } from '../../../../gateway-runtime/src/plugins/waf/seclang/rule-files.ts'
import { matchingText } from './matching-texts.ts'

const folder = '/usr/share/modsecurity-crs'
const installed = existsSync(folder)
const skipped = installed ? '' : ' (skipped: the package modsecurity-crs is not installed)'

const patterns = [
  '(?i)union\\s+select',
  '(?i:sleep\\(\\s*?\\d*?\\s*?\\)|benchmark\\(.*?\\,.*?\\))',
  '(?:^|[^a-z])(?:sel)ect\\b.*?\\bfrom',
  '<(?:script|style)[^>]*>',
  '(?:a<|bc?>)(?:d|e){2,3}f?g',
  '[\\n\\r]+(?:get|post) http/\\d',
  '(?:ab){0,2}(?:cdc){3}',
  'x(?:)y|xz',
  '\\xe9\\xC9|\\xDF+',
]

describe('requirements of patterns', () => {
  test.each(patterns)('a text that %s matches meets them', (source) => {
    const pattern = parsePattern(source)
    const requirements = requirementsOf(pattern)
    expect(requirements.length).toBeGreaterThan(0)
    const screen = new Screen([requirements])
    const regex = rustEngine.compile(pattern)
    const around = fc.string({ unit: 'binary-ascii', maxLength: 5 })
    fc.assert(
      fc.property(around, matchingText(pattern), around, (before, text, after) => {
        const whole = before + text + after
        if (regex.test(whole)) expect(screen.possible(whole)).toEqual([0])
      }),
    )
    expect(screen.possible('zzz')).toEqual([])
  })

  test.each(['.*', '[a-z]+', 'a?b?', '^\\d+$', '(?:x|.)'])('nothing is known of %s', (source) => {
    expect(requirementsOf(parsePattern(source))).toEqual([])
  })

  const sources = (installed ? readRules(folder).directives : []).flatMap((directive) => {
    const operator = directive.type === 'rule' ? directive.rule.operator : undefined
    return operator?.name.toLowerCase() === 'rx' && !operator.argument.includes('%{')
      ? [operator.argument]
      : []
  })
  const whereInstalled = installed ? test : test.skip
  whereInstalled(`texts that patterns of the Core Rule Set match meet them${skipped}`, () => {
    expect(sources.length).toBeGreaterThan(200)
    let matches = 0
    for (const source of new Set(sources)) {
      const pattern = parsed(source)
      const requirements = pattern ? requirementsOf(pattern) : []
      if (!pattern || requirements.length === 0) continue
      const screen = new Screen([requirements])
      const regex = rustEngine.compile(pattern)
      for (const text of fc.sample(matchingText(pattern), 20)) {
        if (!regex.test(text)) continue
        matches++
        expect({ source, text, possible: screen.possible(text) }).toEqual({ source, text, possible: [0] })
      }
    }
    expect(matches).toBeGreaterThan(1_000)
  })
})

const parsed = (source: string) => {
  try {
    return parsePattern(source)
  } catch {
    return undefined
  }
}

test('a screen tells apart what several patterns require', () => {
  const screen = new Screen([[['union'], ['select']], [['select']], [['<', '>'], ['on']]])
  expect([...screen.possible('SELECT 1')].sort()).toEqual([1])
  expect([...screen.possible('1 Union all sElect 2')].sort()).toEqual([0, 1])
  expect([...screen.possible('<a on')].sort()).toEqual([2])
  expect(screen.possible('union')).toEqual([])
})
