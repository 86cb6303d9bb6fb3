import { compile } from '@gatehouse/gateway-runtime/config'
import { expect, test } from '@jest/globals'
import {
  packRoutes,
  packSnapshot,
  unpackSnapshot,
} from '../../../gateway-runtime/src/config/packed-snapshot.ts'
import { asYaml, load } from './configurations.ts'

const limit = (limit: number, scope: object = {}) => ({
  name: 'rate-limiting',
  config: { limit, period: 'second' },
  ...scope,
})

const snapshot = compile(
  load(
    asYaml({
      upstreams: [{ name: 'u', targets: [{ target: 'a:1' }, { target: 'b:2' }] }],
      services: [
        { name: 's', url: 'http://s' },
        { name: 't', upstream: 'u' },
      ],
      plugins: [limit(1), limit(2, { service: 't' }), limit(3, { route: 'all' })],
      routes: [
        { name: 'plain', service: 's', paths: ['/a', '=/b', '~/c'] },
        {
          name: 'spread',
          service: 's',
          paths: ['~/x/(.*)'],
          split: { on: 'header', header: 'X-User', services: [{ service: 't', percent: 10 }] },
          mirror: { service: 't' },
          rewrite: '/y/$1$rest',
        },
        {
          name: 'gone',
          redirect: { scheme: 'https', host: 'h', port: 1, path: '/$rest' },
          paths: ['/gone'],
        },
        { name: 'other', service: 't', hosts: ['*.x'], upgrades: [], strip_path: false },
        {
          name: 'all',
          service: 't',
          paths: ['/'],
          methods: ['GET'],
          headers: { b: ['1', '~2'], a: ['é"'] },
          query: { q: ['~.*'] },
          preserve_host: true,
          upgrades: ['websocket', 'h2c'],
          priority: 7,
        },
      ],
    }),
  ),
)

test('what is packed, sent and unpacked is the snapshot', () => {
  expect(unpackSnapshot(structuredClone(packSnapshot(snapshot)))).toStrictEqual(snapshot)
})

test('routes share their service and plugins again', () => {
  const { routes, globalPlugins } = unpackSnapshot(structuredClone(packSnapshot(snapshot)))
  expect(routes[3]!.service).toBe(routes[4]!.service)
  expect(routes[1]!.mirror!.service).toBe(routes[3]!.service)
  expect(routes[0]!.plugins[0]).toBe(globalPlugins[0])
})

test('the text does not depend on the order of headers', () => {
  const of = (headers: object) =>
    packRoutes(
      compile(
        load(
          asYaml({
            services: [{ name: 's', url: 'http://s' }],
            routes: [{ name: 'r', service: 's', headers }],
          }),
        ),
      ).routes,
    )
  expect(of({ a: ['1'], b: ['2'] })).toBe(of({ b: ['2'], a: ['1'] }))
  expect(of({ a: ['1'], b: ['2'] })).not.toBe(of({ a: ['2'], b: ['1'] }))
})
