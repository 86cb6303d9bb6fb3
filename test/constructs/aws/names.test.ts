import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { awsName } from '../../../constructs/aws/names.ts'

describe('awsName', () => {
  test('joins parts', () => {
    expect(awsName(32, 'gatehouse-production', '443')).toBe('gatehouse-production-443')
  })

  test('stays within the limit, takes only letters, digits and "-", and never ends with "-"', () => {
    fc.assert(
      fc.property(fc.constantFrom(32, 40, 64), fc.stringMatching(/^[a-z][a-z0-9-]{0,80}$/), (limit, name) => {
        expect(awsName(limit, name, '443').length).toBeLessThanOrEqual(limit)
        expect(awsName(limit, name, '443')).toMatch(/^[a-z]([A-Za-z0-9-]*[A-Za-z0-9])?$/)
      }),
    )
  })

  test('tells long names apart that begin alike', () => {
    const long = 'gatehouse-a-very-long-environment-name'
    expect(awsName(32, long, '80')).not.toBe(awsName(32, long, '443'))
    expect(awsName(32, long, '80')).toBe(awsName(32, long, '80'))
  })
})
