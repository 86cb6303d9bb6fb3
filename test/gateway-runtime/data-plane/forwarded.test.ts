import { afterEach, describe, expect, test } from '@jest/globals'
import { forwardedAddresses, forwardedNodes } from '../../../gateway-runtime/src/data-plane/forwarded.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { type Echo, echo, startUpstream } from '../../support/upstream.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function start(forwarded: string | undefined, trusted: string[]) {
  const upstream = await startUpstream(echo)
  ended.push(() => upstream.stop())
  const gateway = await startGateway({
    config: {
      ...(forwarded && { forwarded }),
      trusted_proxies: trusted,
      services: [{ name: 's', url: upstream.url }],
      routes: [{ name: 'all', service: 's', paths: ['/'] }],
    },
  })
  ended.push(() => gateway.stop())
  const ask = async (headers: Record<string, string>) =>
    ((await (await fetch(gateway.url, { headers })).json()) as Echo).headers
  return { gateway, ask, host: `127.0.0.1:${gateway.ports.http}` }
}

const given = {
  forwarded: 'for=203.0.113.7;proto=https, for="[2001:db8::1]:4711"',
  'x-forwarded-for': '198.51.100.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'example.com',
}

describe('Forwarded', () => {
  test('takes the place of X-Forwarded-*, and of what an unknown peer says', async () => {
    const { ask, host } = await start('rfc7239', [])
    const seen = await ask(given)
    expect(seen.forwarded).toBe(`for=127.0.0.1;host="${host}";proto=http`)
    for (const name of ['for', 'proto', 'host']) expect(seen[`x-forwarded-${name}`]).toBeUndefined()
  })

  test('is added to what a trusted proxy says, which tells the client', async () => {
    const { gateway, ask, host } = await start('rfc7239', ['127.0.0.1'])
    const seen = await ask(given)
    expect(seen.forwarded).toBe(`${given.forwarded}, for=127.0.0.1;host="${host}";proto=http`)
    for (const name of ['for', 'proto', 'host']) expect(seen[`x-forwarded-${name}`]).toBeUndefined()
    await eventually('the line', async () => (await gateway.accessLog()).length === 1)
    expect((await gateway.accessLog())[0]).toMatchObject({ client_address: '2001:db8::1' })
  })

  test('that is malformed is dropped: its open quote would swallow what is added', async () => {
    const { ask, host } = await start('rfc7239', ['127.0.0.1'])
    expect((await ask({ forwarded: 'for="1.2.3.4' })).forwarded).toBe(
      `for=127.0.0.1;host="${host}";proto=http`,
    )
  })

  test('stands beside X-Forwarded-* where both are asked for', async () => {
    const { ask, host } = await start('both', [])
    expect(await ask(given)).toMatchObject({
      forwarded: `for=127.0.0.1;host="${host}";proto=http`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': host,
    })
  })

  test('is not written by default, and not passed on from an unknown peer', async () => {
    const { ask } = await start(undefined, [])
    const seen = await ask(given)
    expect(seen.forwarded).toBeUndefined()
    expect(seen['x-forwarded-for']).toBe('127.0.0.1')
  })
})

describe('the field is read by RFC 7239', () => {
  test.each([
    ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
    ['For="[2001:db8:cafe::17]:4711"', ['2001:db8:cafe::17']],
    ['for=192.0.2.43, for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
    ['for=192.0.2.43,for="198.51.100.17:80";proto=https', ['192.0.2.43', '198.51.100.17']],
    ['for=_hidden, for=unknown;proto=http', ['unknown', 'unknown']],
    ['proto=http', ['unknown']],
    ['for="1.2.3.4,5.6.7.8"', ['unknown']],
    ['for="a\\"b;c=d"', ['unknown']],
  ])('%s', (value, addresses) => {
    expect(forwardedNodes(value)).toBeDefined()
    expect(forwardedAddresses([value])).toEqual(addresses)
  })

  test.each([
    'for="1.2.3.4',
    'for=1.2.3.4 5',
    'for = 1.2.3.4',
    'for=[::1]',
    'for',
    'for=1.2.3.4"',
    '=x',
    'for="a"b',
  ])('is refused: %s', (value) => {
    expect(forwardedNodes(value)).toBeUndefined()
    expect(forwardedAddresses([value])).toEqual(['unknown'])
  })
})
