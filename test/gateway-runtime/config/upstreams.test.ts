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
  [{ healthchecks: { active: { type: 'udp' } } }, 'expected "http", "https", "tcp", "grpc" or "grpcs"'],
  [{ healthchecks: { active: { path: 'healthz' } } }, 'expected a path such as /healthz'],
  [{ healthchecks: { active: { path: '/a\r\nb: c' } } }, 'expected a path such as /healthz'],
  [{ healthchecks: { active: { host: 'a b' } } }, 'expected a host, such as a.example:8080'],
  [{ healthchecks: { active: { expected_statuses: ['399-200'] } } }, 'expected a status such as 204'],
  [{ healthchecks: { active: { expected_statuses: [600] } } }, 'expected a status such as 204'],
  [{ healthchecks: { active: { interval: 0 } } }, 'expected a time from 1ms to 24d'],
  [{ healthchecks: { active: { unhealthy_after: 0 } } }, 'expected a number of at least 1, found 0'],
  [{ healthchecks: { active: { type: 'tcp', path: '/' } } }, 'path goes with type: http or https'],
  [{ healthchecks: { active: { type: 'grpc', expected_statuses: [200] } } }, 'expected_statuses goes with'],
  [{ healthchecks: { active: { service: 's' } } }, 'service goes with type: grpc or grpcs'],
  [{ healthchecks: { active: { tls_verify: false } } }, 'tls_verify goes with type: https or grpcs'],
  [{ healthchecks: { passive: { failure_percent: 0 } } }, 'expected a number of at least 1, found 0'],
  [
    { healthchecks: { passive: { max_ejected_percent: 101 } } },
    'expected a number of at most 100, found 101',
  ],
  [{ healthchecks: { passive: { threshold: 3 } } }, 'unknown key "threshold"'],
  [{ healthchecks: { active: { type: 'tcp', host: 'a' } } }, 'host does not go with type: tcp'],
])('%j is refused, at its place in its file', (upstream, message) => {
  const [problem] = problemsWith(upstream)
  expect(problem).toMatch(/^config\.yaml:1:\d+: /)
  expect(problem).toContain(message)
})
