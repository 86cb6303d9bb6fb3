import { describe, expect, test } from '@jest/globals'
import { runChecks } from '../../../../scripts/start/check/check.ts'

const uninterrupted = new AbortController().signal
const check = (tried: string, expected: string, see: () => Promise<string>) => ({ tried, expected, see })

describe('runChecks', () => {
  test('names nothing when all is as expected', async () => {
    expect(await runChecks([check('one', '200', async () => '200')], uninterrupted)).toEqual([])
  })

  test('names what did not hold, with what was seen, and tries the rest', async () => {
    const tried: string[] = []
    const failed = await runChecks(
      [
        check('one', '200', async () => '500'),
        check('two', '200', () => Promise.reject(new Error('connection refused\nat some place'))),
        check('three', '200', async () => {
          tried.push('three')
          return '200'
        }),
      ],
      uninterrupted,
    )
    expect(failed).toEqual(['one: expected 200, saw 500', 'two: expected 200, saw connection refused'])
    expect(tried).toEqual(['three'])
  })

  test('ends when it is interrupted', async () => {
    const interruption = new AbortController()
    const first = check('one', '200', async () => {
      interruption.abort()
      return '200'
    })
    const second = check('two', '200', () => Promise.reject(new Error('must not be tried')))
    await expect(runChecks([first, second], interruption.signal)).rejects.toThrow(/abort/i)
  })
})
