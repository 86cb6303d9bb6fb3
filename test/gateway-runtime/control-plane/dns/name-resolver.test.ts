import { afterEach, describe, expect, test } from '@jest/globals'
import { type Dns, dnsSchema } from '../../../../gateway-runtime/src/config/dns-settings.ts'
import { NameResolver, type Timers } from '../../../../gateway-runtime/src/control-plane/dns/name-resolver.ts'
import { type DnsServer, startDnsServer } from '../../../support/dns-server.ts'
import { freeUdpPort } from '../../../support/ports.ts'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const host = 'orders.test'
const upstreamTo = (...hosts: string[]) =>
  [{ targets: hosts.map((name) => ({ host: name })) }] as never as Parameters<
    NameResolver['follow']
  >[0]['upstreams']

/** Time that passes when a test says so. */
class ManualTimers implements Timers {
  readonly #arrivals: ((delay: number) => void)[] = []
  #due: (() => void) | undefined
  #delay: number | undefined

  after(milliseconds: number, callback: () => void) {
    this.#due = callback
    this.#delay = milliseconds
    for (const resolve of this.#arrivals.splice(0)) resolve(milliseconds)
    return () => {
      this.#due = undefined
    }
  }

  get delay() {
    return this.#delay
  }

  async untilSet(): Promise<void> {
    if (!this.isSet) await new Promise((resolve) => this.#arrivals.push(resolve))
  }

  get isSet() {
    return this.#due !== undefined
  }

  /** Lets the time pass that was asked for; resolves with the next one, when that is asked for. */
  pass(): Promise<number> {
    const due = this.#due!
    this.#due = undefined
    const next = new Promise<number>((resolve) => this.#arrivals.push(resolve))
    due()
    return next
  }
}

interface Line {
  readonly level: string
  readonly event: string
  readonly fields: object | undefined
}

function resolverFor(servers: readonly string[], settings: object = {}) {
  const dns: Dns = dnsSchema.parse({ servers, timeout: '200ms', ...settings })
  const timers = new ManualTimers()
  const lines: Line[] = []
  const changes: string[][] = []
  const log = {
    write: (level: string, event: string, fields?: object) => void lines.push({ level, event, fields }),
  }
  const resolver = new NameResolver(log, (_, addresses) => void changes.push([...addresses]), timers)
  ended.push(() => resolver.close())
  return {
    resolver,
    dns,
    timers,
    lines,
    changes,
    follow: () => resolver.follow({ upstreams: upstreamTo(host), dns }),
  }
}

async function serverOf(...args: Parameters<typeof startDnsServer>): Promise<DnsServer> {
  const server = await startDnsServer(...args)
  ended.push(() => server.stop())
  return server
}

describe('a name', () => {
  test('is known as soon as it is followed: IPv6 first, each family in order', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.2', '10.0.0.1', 'fd00::2', 'fd00::1'] })
    const { resolver, follow, changes } = resolverFor([server.address])
    await follow()
    const all = ['fd00::1', 'fd00::2', '10.0.0.1', '10.0.0.2']
    expect([...resolver.addresses]).toEqual([[host, all]])
    expect(changes).toEqual([all])
  })

  test.each([
    [7, {}, 7_000],
    [0, {}, 1_000],
    [86_400, {}, 300_000],
    [7, { min_ttl: '20s' }, 20_000],
    [7, { max_ttl: '5s' }, 5_000],
  ])(
    'with a TTL of %d s and %j is asked for again after %d ms, or up to a tenth later',
    async (ttl, settings, delay) => {
      const server = await serverOf()
      server.set(host, { addresses: ['10.0.0.1'], ttl })
      const { follow, timers } = resolverFor([server.address], settings)
      await follow()
      expect(timers.delay).toBeGreaterThanOrEqual(delay)
      expect(timers.delay).toBeLessThanOrEqual(delay * 1.1)
      const asked = server.queries.length
      await timers.pass()
      expect(server.queries.length).toBeGreaterThan(asked)
    },
  )

  test('that has other addresses is told of, and only then', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1', '10.0.0.2'] })
    const { follow, timers, changes, lines } = resolverFor([server.address])
    await follow()
    server.set(host, { addresses: ['10.0.0.2', '10.0.0.1'] })
    await timers.pass()
    expect(changes).toHaveLength(1)
    server.set(host, { addresses: ['10.0.0.3'] })
    await timers.pass()
    expect(changes.slice(1)).toEqual([['10.0.0.3']])
    expect(lines).toEqual([])
  })

  test.each([
    ['ipv4', ['10.0.0.1'], ['A']],
    ['ipv6', ['fd00::1'], ['AAAA']],
  ])('with family: %s is asked for that only', async (family, addresses, types) => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1', 'fd00::1'] })
    const { resolver, follow } = resolverFor([server.address], { family })
    await follow()
    expect(resolver.addresses.get(host)).toEqual(addresses)
    expect(server.queries.map(({ type }) => type)).toEqual(types)
  })

  test('is used with one family where the other is not answered for, and keeps what it had of that', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1', 'fd00::1'], silent: ['AAAA'] })
    const { resolver, follow, timers, lines } = resolverFor([server.address])
    await follow()
    await timers.untilSet()
    server.set(host, { addresses: ['10.0.0.1', 'fd00::1'] })
    await timers.pass()
    expect(resolver.addresses.get(host)).toEqual(['fd00::1', '10.0.0.1'])
    server.set(host, { addresses: ['10.0.0.2', 'fd00::1'], silent: ['AAAA'] })
    await timers.pass()
    expect(resolver.addresses.get(host)).toEqual(['fd00::1', '10.0.0.2'])
    server.set(host, { addresses: ['10.0.0.2'] })
    await timers.pass()
    expect(resolver.addresses.get(host)).toEqual(['10.0.0.2'])
    expect(lines).toEqual([])
  })
})

describe('a failure', () => {
  test.each([
    ['NXDOMAIN', { code: 'NXDOMAIN' }, 'NXDOMAIN'],
    ['no record', { addresses: [] }, 'NODATA'],
    ['SERVFAIL', { code: 'SERVFAIL' }, 'SERVFAIL'],
    ['REFUSED', { code: 'REFUSED' }, 'REFUSED'],
  ] as const)(
    '%s leaves what was known in force, and is told of once, as is its end',
    async (_, zone, reason) => {
      const server = await serverOf()
      server.set(host, { addresses: ['10.0.0.1'] })
      const { resolver, follow, timers, lines, changes } = resolverFor([server.address])
      await follow()
      server.set(host, zone)
      for (let round = 0; round < 3; round++) await timers.pass()
      expect(resolver.addresses.get(host)).toEqual(['10.0.0.1'])
      expect(resolver.states.get(host)).toMatchObject({ problem: reason, resolutions: 4, failures: 3 })
      const fields = { name: host, reason, staying: '10.0.0.1 stay in force' }
      expect(lines).toEqual([{ level: 'error', event: 'DNS: name has no addresses', fields }])
      server.set(host, { addresses: ['10.0.0.1'] })
      await timers.pass()
      const again = { name: host, addresses: '10.0.0.1' }
      expect(lines.slice(1)).toEqual([
        { level: 'info', event: 'DNS: name has addresses again', fields: again },
      ])
      expect(changes).toHaveLength(1)
    },
  )

  test('is tried again after a growing while, 30 s at most, until it is over', async () => {
    const server = await serverOf()
    const { resolver, follow, timers, lines } = resolverFor([server.address])
    await follow()
    expect(resolver.addresses.has(host)).toBe(false)
    const delays = [timers.delay!]
    for (let round = 0; round < 6; round++) delays.push(await timers.pass())
    for (const [index, least] of [1, 2, 4, 8, 16, 30, 30].entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(least * 1_000)
      expect(delays[index]).toBeLessThanOrEqual(least * 1_100)
    }
    expect(lines).toHaveLength(1)
    server.set(host, { addresses: ['10.0.0.1'] })
    expect(await timers.pass()).toBeLessThanOrEqual(1_100)
    server.set(host, { code: 'NXDOMAIN' })
    expect(await timers.pass()).toBeLessThanOrEqual(1_100)
  })

  test('of the only server, which is gone, is found at once and mended when it is back', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1'] })
    const { resolver, follow, timers } = resolverFor([server.address])
    await follow()
    await server.stop()
    await timers.pass()
    expect(resolver.states.get(host)).toMatchObject({
      addresses: ['10.0.0.1'],
      problem: 'no DNS server is there',
    })
    const second = await serverOf(server.port)
    second.set(host, { addresses: ['10.0.0.9'] })
    await timers.pass()
    expect(resolver.addresses.get(host)).toEqual(['10.0.0.9'])
  })

  test('to answer ends with the timeout, and a start is not kept longer', async () => {
    const server = await serverOf()
    server.set(host, { silent: ['A', 'AAAA'] })
    const { resolver, follow, timers, dns } = resolverFor([server.address])
    await follow()
    await timers.untilSet()
    expect(resolver.states.get(host)?.problem).toBe('no answer within 200 ms')
    server.set(host, { addresses: ['10.0.0.1'] })
    await resolver.follow({ upstreams: upstreamTo(host), dns: { ...dns, min_ttl: 2_000 } })
    expect(resolver.addresses.get(host)).toEqual(['10.0.0.1'])
  })

  test('of one server is made up for by the next', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1'] })
    const { resolver, follow } = resolverFor([`127.0.0.1:${await freeUdpPort()}`, server.address])
    await follow()
    expect(resolver.addresses.get(host)).toEqual(['10.0.0.1'])
  })
})

describe('what is followed', () => {
  test('is what the configuration names, by the servers that it names', async () => {
    const [first, second] = [await serverOf(), await serverOf()]
    first.set(host, { addresses: ['10.0.0.1'] })
    first.set('other.test', { addresses: ['10.0.0.2'] })
    second.set(host, { addresses: ['10.0.1.1'] })
    const { resolver, dns } = resolverFor([first.address])
    await resolver.follow({ upstreams: upstreamTo(host, 'other.test', '10.9.9.9', 'fd00::9'), dns })
    expect(new Map(resolver.addresses)).toEqual(
      new Map([
        [host, ['10.0.0.1']],
        ['other.test', ['10.0.0.2']],
      ]),
    )
    const asked = first.queries.length
    await resolver.follow({ upstreams: upstreamTo(host), dns })
    expect([...resolver.addresses.keys()]).toEqual([host])
    expect(first.queries).toHaveLength(asked)
    await resolver.follow({ upstreams: upstreamTo(host), dns: { ...dns, servers: [second.address] } })
    expect([...resolver.addresses]).toEqual([[host, ['10.0.1.1']]])
  })

  test('ends with close', async () => {
    const server = await serverOf()
    server.set(host, { addresses: ['10.0.0.1'] })
    const { resolver, follow, timers } = resolverFor([server.address])
    await follow()
    resolver.close()
    expect(timers.isSet).toBe(false)
    expect(resolver.addresses.size).toBe(0)
  })

  test('may be 200 names at once', async () => {
    const server = await serverOf()
    const hosts = Array.from({ length: 200 }, (_, index) => `service-${index}.test`)
    for (const [index, name] of hosts.entries()) server.set(name, { addresses: [`10.0.1.${index}`] })
    const { resolver, dns } = resolverFor([server.address], { timeout: '20s' })
    await resolver.follow({ upstreams: upstreamTo(...hosts), dns })
    expect(resolver.addresses.size).toBe(200)
    expect(resolver.addresses.get('service-17.test')).toEqual(['10.0.1.17'])
  })

  test.each(['any', 'ipv4'])('is localhost as the system knows it, with family: %s', async (family) => {
    const server = await serverOf()
    const { resolver, dns } = resolverFor([server.address], { family })
    await resolver.follow({ upstreams: upstreamTo('localhost'), dns })
    expect(resolver.addresses.get('localhost')).toContain('127.0.0.1')
    expect(server.queries).toEqual([])
  })
})
