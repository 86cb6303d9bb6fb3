import { describe, expect, test } from '@jest/globals'
import { differences, maskedChanges, maskSecrets } from '../../../gateway-runtime/src/config/index.ts'

const before = {
  services: [
    { name: 'a', url: 'http://a', retries: 1 },
    { name: 'b', url: 'http://b' },
  ],
  limits: { body_bytes: 1 },
}

describe('differences', () => {
  test('names entities that are new, gone or other, field by field', () => {
    const after = {
      services: [
        { name: 'c', url: 'http://c' },
        { name: 'a', url: 'http://a', retries: 2, tags: ['x'] },
      ],
      limits: { body_bytes: 1, streams: 5 },
    }
    expect(differences(before, after)).toEqual([
      {
        entity: 'services/a',
        change: 'update',
        fields: [
          { path: 'retries', before: 1, after: 2 },
          { path: 'tags', after: ['x'] },
        ],
      },
      {
        entity: 'services/b',
        change: 'delete',
        fields: [{ path: '', before: { name: 'b', url: 'http://b' } }],
      },
      { entity: 'limits', change: 'update', fields: [{ path: 'streams', after: 5 }] },
      { entity: 'services/c', change: 'add', fields: [{ path: '', after: { name: 'c', url: 'http://c' } }] },
    ])
  })

  test('the order of entities is no difference', () => {
    expect(differences(before, { ...before, services: before.services.toReversed() })).toEqual([])
  })

  test('plugins are known by their scope', () => {
    const plugin = { name: 'rate-limiting', service: 'a', config: { limit: 1 } }
    const [change] = differences({}, { plugins: [plugin] })
    expect(change?.entity).toBe('plugins/service:a/rate-limiting')
  })

  test('say that a secret changed without saying it', () => {
    const consumer = (key: string) => ({ name: 'c', credentials: { 'key-auth': [{ key }] } })
    const changes = differences({ consumers: [consumer('old')] }, { consumers: [consumer('new')] })
    const text = JSON.stringify(maskedChanges(changes))
    expect(text).not.toMatch(/old|new/)
  })
})

describe('maskSecrets', () => {
  test('takes away keys, passwords and userinfo, and leaves references and paths', () => {
    const masked = maskSecrets({
      certificates: [{ key: '-----BEGIN PRIVATE KEY-----\nabc', certificate: './a.crt' }],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
      listeners: [{ key: '/etc/ssl/gateway.key', password: '${env:PASSWORD}' }],
      plugins: [{ config: { redis_password: 'p', url: 'redis://u:p@h/1', token: 't', key: 'header' } }],
      consumers: [{ credentials: { 'basic-auth': [{ username: 'u', password: 'p' }] } }],
    })
    expect(masked).toEqual({
      certificates: [{ key: '***', certificate: './a.crt' }],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration
      listeners: [{ key: '/etc/ssl/gateway.key', password: '${env:PASSWORD}' }],
      plugins: [{ config: { redis_password: '***', url: 'redis://***@h/1', token: '***', key: 'header' } }],
      consumers: [{ credentials: { 'basic-auth': [{ username: 'u', password: '***' }] } }],
    })
  })
})
