import { stripVTControlCharacters } from 'node:util'
import { expect, test } from '@jest/globals'
import { table } from '../../../scripts/terminal/table.ts'

test('columns are as wide as what stands in them, colours not counted', () => {
  const text = table(
    ['what', 'where'],
    [
      ['\x1b[32mgateway\x1b[39m', 'here'],
      ['a', 'there'],
    ],
  )
  expect(stripVTControlCharacters(text)).toBe('  what     where\n  gateway  here\n  a        there')
})
