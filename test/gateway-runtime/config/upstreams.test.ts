import { expect, test } from '@jest/globals'
import { asYaml, problemsOf } from './configurations.ts'

const problemsWith = (upstream: object, more: object = {}) =>
  problemsOf(asYaml({ upstreams: [{ name: 'u', targets: [{ target: 'a:80' }], ...upstream }], ...more }))

test.each([
  [
    { algorithm: 'random' },
    'expected "round-robin", "least-connections" or "consistent-hashing", found "random"',
  ],
  [{ algorithm: 'consistent-hashing' }, 'hash_on goes with algorithm: consistent-hashing'],
  [{ hash_on: 'ip' }, 'hash_on goes with algorithm: consistent-hashing'],
  [{ algorithm: 'consistent-hashing', hash_on: 'header' }, 'hash_on: header needs hash_on_header'],
  [{ algorithm: 'consistent-hashing', hash_on: 'cookie' }, 'needs hash_on_cookie'],
  [
    { algorithm: 'consistent-hashing', hash_on: 'cookie', hash_on_cookie: 'c', hash_fallback: 'ip' },
    'hash_fallback goes with hash_on: header',
  ],
  [
    { algorithm: 'consistent-hashing', hash_on: 'cookie', hash_on_cookie: 'a;b' },
    'expected the name of a cookie',
  ],
  [{ hash_balance_factor: 1 }, 'expected a number of at least 1.05, found 1'],
  [{ healthchecks: { panic_threshold: 101 } }, 'expected a number of at most 100, found 101'],
])('%j is refused, at its place in its file', (upstream, message) => {
  const [problem] = problemsWith(upstream)
  expect(problem).toMatch(/^config\.yaml:1:\d+: /)
  expect(problem).toContain(message)
})
