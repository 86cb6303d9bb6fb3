import { describe, expect, test } from '@jest/globals'
import { dnsSchema } from '../../../gateway-runtime/src/config/dns-settings.ts'

describe('dns', () => {
  test('has defaults', () => {
    expect(dnsSchema.parse({})).toEqual({
      servers: [],
      min_ttl: 1_000,
      max_ttl: 300_000,
      timeout: 2_000,
      family: 'any',
    })
  })

  test.each(['10.0.0.2', '10.0.0.2:5353', '::1', 'fd00::2', '[::1]', '[fd00::2]:53'])(
    'takes the server %s',
    (server) => {
      expect(dnsSchema.parse({ servers: [server] }).servers).toEqual([server])
    },
  )

  test.each([
    '',
    'ns.example.com',
    '10.0.0',
    '10.0.0.2:',
    '10.0.0.2:0',
    '10.0.0.2:70000',
    '[10.0.0.2]:53',
    '[::1',
  ])('refuses the server %j', (server) => {
    expect(dnsSchema.safeParse({ servers: [server] }).error?.issues).toMatchObject([{ path: ['servers', 0] }])
  })

  test.each([
    [{ min_ttl: '10ms' }, 'min_ttl'],
    [{ max_ttl: '2d' }, 'max_ttl'],
    [{ min_ttl: '10s', max_ttl: '5s' }, 'min_ttl'],
    [{ family: 'ipv5' }, 'family'],
  ])('refuses %j', (settings, field) => {
    expect(dnsSchema.safeParse(settings).error?.issues).toMatchObject([{ path: [field] }])
  })
})
