import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mendPastedArguments } from '../../../gateway-runtime/src/cli/pasted-arguments.ts'

describe('arguments pasted from a web page', () => {
  test.each([
    ['an en dash for two hyphens', ['routes', 'add', '–name', 'a'], ['routes', 'add', '--name', 'a']],
    ['an em dash', ['—name', 'a'], ['--name', 'a']],
    ['a dash and a hyphen', ['–-name'], ['--name']],
    ['a dash before one letter', ['–c', '/etc/gateway'], ['-c', '/etc/gateway']],
    ['a dash before a number', ['--priority', '–5'], ['--priority', '-5']],
    [
      'curly quotes that the shell does not know',
      ['–config', '“limit=1000,', 'period=second”'],
      ['--config', 'limit=1000, period=second'],
    ],
    ['curly quotes behind =', ['–config=“limit=1,', 'period=second”'], ['--config=limit=1, period=second']],
    ['curly quotes around one word', ['--name', '“a”'], ['--name', 'a']],
    ['single ones', ['--config', '‘limit=1’'], ['--config', 'limit=1']],
    ['spaces that do not break', ['–name\u00a0a'], ['--name', 'a']],
    ['curly quotes within JSON', ['{“limit”:', '5}'].join(' '), '{"limit": 5}'],
  ])('%s', (_, given, mended) => {
    expect(mendPastedArguments([given].flat())).toEqual([mended].flat())
  })

  test('others pass as they are', () => {
    const ordinary = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]*$/).filter((text) => !text.startsWith('{'))
    fc.assert(
      fc.property(fc.array(ordinary), (given) => {
        expect(mendPastedArguments(given)).toEqual(given)
      }),
    )
  })

  test('dashes and quotes inside a value are its own', () => {
    const given = ['--name', 'a–b', '--paths', '/x–y', '--hosts', 'it’s']
    expect(mendPastedArguments(given)).toEqual(given)
  })
})
