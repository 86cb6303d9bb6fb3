import { expect, test } from '@jest/globals'
import { add, closingLines, noCounts } from '../../../scripts/test/counts.ts'

test('the closing lines give the reasons, and the sums on the last', () => {
  const lint = { ...noCounts, failed: 1 }
  const jest = { passed: 5, failed: 0, skipped: 1, reasons: ['a disk is formatted (skipped: needs root)'] }
  expect(closingLines([lint, jest].reduce(add))).toEqual([
    'a disk is formatted (skipped: needs root)',
    '5 passed, 1 failed, 1 skipped',
  ])
})
