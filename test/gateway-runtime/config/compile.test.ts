import { compile, type Snapshot } from '@gatehouse/gateway-runtime/config'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { asYaml, type Files, load } from './configurations.ts'

const compiled = (files: Files): Snapshot => compile(load(files))
const service = { name: 's', url: 'http://s' }
const route = { name: 'r', service: 's', paths: ['/'] }
const serviceOf = (fields: object, more: object = {}) =>
  compiled(asYaml({ ...more, services: [{ name: 's', ...fields }], routes: [route] })).routes[0]!.service!
const routeOf = (fields: object) =>
  compiled(asYaml({ services: [service], routes: [{ name: 'r', service: 's', ...fields }] })).routes[0]!

describe('a service with a url', () => {
  test('has an upstream of its own with one target', () => {
    expect(serviceOf({ url: 'http://10.0.12.7:8080/orders/' })).toMatchObject({
      name: 's',
      tls: undefined,
      path: '/orders',
      hostHeader: '10.0.12.7:8080',
      retries: 3,
      connectTimeout: 5_000,
      readTimeout: 60_000,
      writeTimeout: 60_000,
      upstream: {
        name: 'service:s',
        circuitBreaker: { enabled: true, consecutive_failures: 5, open_duration: 10_000 },
        targets: [{ id: 'service:s/10.0.12.7:8080', host: '10.0.12.7', port: 8080, weight: 100 }],
      },
    })
  })

  test.each([
    ['http://a', { host: 'a', port: 80, hostHeader: 'a', tls: undefined, path: '' }],
    ['https://a/', { host: 'a', port: 443, hostHeader: 'a', tls: { verify: true }, path: '' }],
    ['https://a:80/b/c', { host: 'a', port: 80, hostHeader: 'a:80', tls: { verify: true }, path: '/b/c' }],
    [
      'http://A.example:80',
      { host: 'a.example', port: 80, hostHeader: 'a.example', tls: undefined, path: '' },
    ],
    ['http://[::1]:8080', { host: '::1', port: 8080, hostHeader: '[::1]:8080', tls: undefined, path: '' }],
    [
      'https://[fe80::1]',
      { host: 'fe80::1', port: 443, hostHeader: '[fe80::1]', tls: { verify: true }, path: '' },
    ],
  ])('%s', (url, { host, port, ...fields }) => {
    const result = serviceOf({ url })
    expect(result).toMatchObject(fields)
    expect(result.upstream.targets).toMatchObject([{ host, port }])
  })
})

describe('a service with an upstream', () => {
  const upstreams = [
    { name: 'u', targets: [{ target: 'a:1' }, { target: '[::1]:2', weight: 7 }, { target: 'b' }] },
  ]

  test('has its targets', () => {
    expect(serviceOf({ upstream: 'u' }, { upstreams }).upstream).toMatchObject({
      name: 'u',
      targets: [
        { id: 'u/a:1', host: 'a', port: 1, weight: 100 },
        { id: 'u/[::1]:2', host: '::1', port: 2, weight: 7 },
        { id: 'u/b:80', host: 'b', port: 80, weight: 100 },
      ],
    })
  })

  test('says itself how they are spoken to', () => {
    expect(serviceOf({ upstream: 'u' }, { upstreams })).toMatchObject({ tls: undefined, path: '' })
    const spoken = serviceOf({ upstream: 'u', protocol: 'https', path: '/v1/' }, { upstreams })
    expect(spoken).toMatchObject({ tls: { verify: true }, path: '/v1', hostHeader: undefined })
  })

  test('shares it with others that name it', () => {
    const services = [
      { name: 's', upstream: 'u' },
      { name: 't', upstream: 'u' },
    ]
    const routes = [route, { ...route, name: 'q', service: 't', paths: ['/q'] }]
    const snapshot = compiled(asYaml({ upstreams, services, routes }))
    expect(snapshot.routes[0]?.service?.upstream).toBe(snapshot.routes[1]?.service?.upstream)
    expect(snapshot.upstreams).toHaveLength(1)
  })
})

describe('a route', () => {
  test.each([
    ['/v1/', { kind: 'prefix', path: '/v1/' }],
    ['=/v1/', { kind: 'exact', path: '/v1/' }],
    ['~/v1/\\d+', { kind: 'regex', source: '/v1/\\d+' }],
    ['~^/v1$', { kind: 'regex', source: '/v1$' }],
    ['~[^/]', { kind: 'regex', source: '[^/]' }],
  ])('with the path %s', (path, matcher) => {
    expect(routeOf({ paths: [path] }).paths).toEqual([matcher])
  })

  test('has hosts and names of headers in lower case', () => {
    const fields = {
      hosts: ['API.Example.com', '*.X'],
      headers: { 'X-Tenant': ['A', '~^b', 'c'] },
      query: { Page: ['~.*'] },
    }
    expect(routeOf(fields)).toMatchObject({
      hosts: ['api.example.com', '*.x'],
      headers: [{ name: 'x-tenant', values: ['A', 'c'], patterns: ['b'] }],
      query: [{ name: 'Page', values: [], patterns: ['.*'] }],
      paths: [],
      methods: [],
      stripPath: true,
      preserveHost: false,
      priority: 0,
    })
  })
})

describe('plugins', () => {
  const limit = (limit: number, more: object = {}) => ({
    name: 'rate-limiting',
    config: { limit, period: 'second' },
    ...more,
  })
  const snapshotWith = (...plugins: object[]) =>
    compiled(
      asYaml({
        plugins,
        services: [service, { ...service, name: 't' }],
        routes: [
          route,
          { ...route, name: 'q', paths: ['/q'] },
          { ...route, name: 'o', service: 't', paths: ['/o'] },
        ],
      }),
    )
  const idsOf = (snapshot: Snapshot) =>
    Object.fromEntries(snapshot.routes.map((route) => [route.name, route.plugins.map(({ id }) => id)]))
  const everywhere = limit(3)
  const ofService = limit(2, { service: 's' })
  const ofRoute = limit(1, { route: 'r' })

  test('of a route come before those of its service, and these before the global ones', () => {
    expect(idsOf(snapshotWith(everywhere, ofService, ofRoute))).toEqual({
      r: ['route:r/rate-limiting'],
      q: ['service:s/rate-limiting'],
      o: ['global/rate-limiting'],
    })
  })

  test('that are switched off at a narrower scope are off there', () => {
    const snapshot = snapshotWith(everywhere, { ...ofService, enabled: false }, ofRoute)
    expect(idsOf(snapshot)).toEqual({ r: ['route:r/rate-limiting'], q: [], o: ['global/rate-limiting'] })
    expect(snapshot.globalPlugins.map(({ id }) => id)).toEqual(['global/rate-limiting'])
  })

  test('that are switched off everywhere are on where a narrower scope says so', () => {
    const snapshot = snapshotWith({ ...everywhere, enabled: false }, ofRoute)
    expect(idsOf(snapshot)).toEqual({ r: ['route:r/rate-limiting'], q: [], o: [] })
    expect(snapshot.globalPlugins).toEqual([])
  })

  test('have their settings with defaults', () => {
    const [plugin] = snapshotWith(everywhere).globalPlugins
    expect(plugin).toMatchObject({
      name: 'rate-limiting',
      order: 900,
      config: { limit: 3, period: 'second', by: 'ip' },
    })
  })
})

describe('a snapshot', () => {
  const text = `services: [{ name: s, url: http://s, connect_timeout: 5s }]
routes: [{ name: r, service: s, paths: [/a], headers: { a: [x], b: [y] } }]
`

  test('has one version for one content, however it is written', () => {
    const other = {
      'more.yaml':
        '# routes\nroutes:\n  - headers: { b: [y], "a": [x] }\n    service: "s"\n    paths: [/a]\n    name: r\n',
      'services.yaml': '# services\nservices:\n  - { connect_timeout: 5000ms, url: http://s, name: s }\n',
    }
    expect(compiled(other).version).toBe(compiled(text).version)
    expect(compiled(text).version).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each([
    'http://s -> http://t',
    '/a -> /b',
    'a: [x], b -> c: [x], b',
    '5s -> 6s',
    '$ -> admin: { port: 1 }',
  ])('has another version for another content: %s', (change) => {
    const [from, to] = change.split(' -> ') as [string, string]
    const changed = from === '$' ? text + to : text.replace(from, to)
    expect(changed).not.toBe(text)
    expect(compiled(changed).version).not.toBe(compiled(text).version)
  })

  test('is plain data that nobody can change, and leaves the configuration as it was', () => {
    const configuration = load(text)
    const snapshot = compile(configuration)
    expect(structuredClone(snapshot)).toEqual(snapshot)
    const thawed: string[] = []
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) thawed.push(path)
      for (const [key, member] of Object.entries(value)) walk(member, `${path}.${key}`)
    }
    walk(snapshot, '')
    expect(thawed).toEqual([])
    expect(Object.isFrozen(configuration.limits)).toBe(false)
  })

  test('does not depend on the order of keys', () => {
    const fields = Object.entries({
      name: 's',
      url: 'http://s',
      retries: 1,
      tls_verify: false,
      tags: ['b', 'a'],
    })
    const version = (entries: [string, unknown][]) =>
      compiled(asYaml({ services: [Object.fromEntries(entries)] })).version
    fc.assert(
      fc.property(fc.shuffledSubarray(fields, { minLength: fields.length }), (entries) => {
        expect(version(entries)).toBe(version(fields))
      }),
    )
  })
})

describe('health checks of an upstream', () => {
  const upstreamOf = (healthchecks: object) =>
    compiled(asYaml({ upstreams: [{ name: 'u', targets: [{ target: 'a:1' }], healthchecks }] })).upstreams[0]!
  const schedule = { interval: 5_000, timeout: 2_000, unhealthyAfter: 3, healthyAfter: 2 }
  const overHttp = { ...schedule, tls: false, tlsVerify: true, host: undefined }

  test('are none where nothing is said', () => {
    expect(upstreamOf({})).toMatchObject({ activeCheck: undefined, passiveCheck: undefined })
  })

  test.each([
    [{}, { ...overHttp, type: 'http', path: '/', expectedStatuses: [{ from: 200, to: 399 }] }],
    [
      { type: 'https', tls_verify: false, host: 'a.b', path: '/up', expected_statuses: [204, '300-399'] },
      {
        ...overHttp,
        type: 'http',
        tls: true,
        tlsVerify: false,
        host: 'a.b',
        path: '/up',
        expectedStatuses: [
          { from: 204, to: 204 },
          { from: 300, to: 399 },
        ],
      },
    ],
    [
      { type: 'tcp', interval: '1s' },
      { ...schedule, type: 'tcp', interval: 1_000 },
    ],
    [{ type: 'grpc' }, { ...overHttp, type: 'grpc', service: '' }],
    [
      { type: 'grpcs', service: 's' },
      { ...overHttp, type: 'grpc', tls: true, service: 's' },
    ],
  ])('%j', (active, expected) => {
    expect(upstreamOf({ active }).activeCheck).toEqual(expected)
  })

  test('passive ones have their defaults', () => {
    const defaults = {
      failurePercent: 50,
      window: 30_000,
      minimumRequests: 20,
      ejectionTime: 30_000,
      maxEjectedPercent: 50,
    }
    expect(upstreamOf({ passive: {} }).passiveCheck).toEqual(defaults)
    expect(upstreamOf({ passive: { failure_percent: 12.5, window: '1m' } }).passiveCheck).toEqual({
      ...defaults,
      failurePercent: 12.5,
      window: 60_000,
    })
  })
})
