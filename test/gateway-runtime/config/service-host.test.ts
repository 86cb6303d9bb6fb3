import { compile } from '@gatehouse/gateway-runtime/config'
import { expect, test } from '@jest/globals'
import { asYaml, load, problemsOf } from './configurations.ts'

const targetOf = (service: object, upstreams: readonly object[] = []) => {
  const services = [{ name: 's', ...service }]
  const routes = [{ name: 'r', service: 's', paths: ['/'] }]
  const [route] = compile(load(asYaml({ services, routes, upstreams }))).routes
  const { upstream, path, tls } = route!.service!
  const targets = upstream.targets.map(({ host, port }) => `${host}:${port}`)
  return { upstream: upstream.name, targets, path, tls: tls !== undefined }
}

test.each([
  [{ host: 'a.example' }, 'a.example:80', '', false],
  [{ host: 'a.example', port: 8443, protocol: 'https', path: '/b' }, 'a.example:8443', '/b', true],
  [{ host: 'a.example', protocol: 'grpcs' }, 'a.example:443', '', true],
])('%j is spoken to as its url would be', (service, target, path, tls) => {
  expect(targetOf(service)).toEqual({ upstream: 'service:s', targets: [target], path, tls })
})

test('a host that an upstream is called by is that upstream', () => {
  const upstream = { name: 'pool', targets: [{ target: '10.0.0.1:81' }] }
  const service = { host: 'pool', port: 80, protocol: 'https', path: '/b' }
  const expected = { upstream: 'pool', targets: ['10.0.0.1:81'], path: '/b', tls: true }
  expect(targetOf(service, [upstream])).toEqual(expected)
  expect(targetOf(service).targets).toEqual(['pool:80'])
})

test.each([
  [{ host: 'a', url: 'http://a' }, 'either url or upstream'],
  [{ url: 'http://a', port: 1 }, 'port goes with host'],
  [{ host: 'a b' }, 'expected a host name'],
])('%j is refused', (service, message) => {
  expect(problemsOf(asYaml({ services: [{ name: 's', ...service }] })).join()).toContain(message)
})

test('two entities with one id are refused', () => {
  const id = '00000000-0000-4000-8000-000000000001'
  const services = ['a', 'b'].map((name) => ({ id, name, url: 'http://a' }))
  expect(problemsOf(asYaml({ services })).join()).toContain('service "a" has this id already')
})
