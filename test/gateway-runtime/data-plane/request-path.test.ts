import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { normalizeTarget } from '../../../gateway-runtime/src/data-plane/request-path.ts'

const normalized = (target: string) => {
  const result = normalizeTarget(target)
  return 'problem' in result ? `refused: ${result.problem}` : result.path + result.query
}

describe('the normal form of a request target', () => {
  test.each([
    ['/', '/'],
    ['/v1/api?x=1&y=%2f', '/v1/api?x=1&y=%2f'],
    ['/a//b', '/a/b'],
    ['//evil.example/a', '/evil.example/a'],
    ['/a/./b/../c', '/a/c'],
    ['/a/..', '/'],
    ['/a/b/.', '/a/b/'],
    ['/a/b/..', '/a/'],
    ['/%61%7e%2D', '/a~-'],
    ['/a/%2e%2E/b', '/b'],
    ['/%e4%b8%ad', '/%E4%B8%AD'],
    ['/a%20b', '/a%20b'],
    ['/a?b/../c', '/a?b/../c'],
  ])('%s is %s', (target, expected) => {
    expect(normalized(target)).toBe(expected)
  })

  test.each([
    '/a%2fb',
    '/a%5Cb',
    '/a\\b',
    '/a%00',
    '/a%',
    '/a%zz',
    '/a#b',
    '/a?b#c',
    '/..',
    '/a/../../b',
    'a',
  ])('refuses %s', (target) => {
    expect(normalized(target)).toMatch(/^refused/)
  })

  test('is its own normal form, holds no dot segments and no empty ones', () => {
    const piece = fc.constantFrom('/', '.', '..', '%2e', '%41', 'a', 'b%20', '//', '%7E', '?', 'q=1')
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const first = normalizeTarget(`/${pieces.join('')}`)
        if ('problem' in first) return
        expect(normalizeTarget(first.path + first.query)).toEqual(first)
        const inner = first.path.split('/').slice(1, -1)
        expect(inner.some((segment) => segment === '' || segment === '.' || segment === '..')).toBe(false)
      }),
    )
  })
})
