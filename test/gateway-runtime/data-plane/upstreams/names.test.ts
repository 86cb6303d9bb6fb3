import { readFile, writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import { startBlackHole } from '../../../support/black-hole.ts'
import { type DnsServer, startDnsServer } from '../../../support/dns-server.ts'
import { eventually } from '../../../support/eventually.ts'
import { type GatewayOptions, startGateway, type TestGateway } from '../../../support/gateway.ts'
import { freePort } from '../../../support/ports.ts'
import { selfSigned } from '../../../support/self-signed.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { echo, startUpstream, type Upstream } from '../../../support/upstream.ts'

const newFolder = temporaryFolders()
const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

const name = 'orders.test'
const circuitOff = { circuit_breaker: { enabled: false } }

async function dnsWith(zone: Parameters<DnsServer['set']>[1] | undefined): Promise<DnsServer> {
  const server = await startDnsServer()
  ended.push(() => server.stop())
  if (zone) server.set(name, zone)
  return server
}

async function upstreamOn(host: string, port = 0, handler = echo): Promise<Upstream> {
  const upstream = await startUpstream(handler, port, host)
  ended.push(() => upstream.stop())
  return upstream
}

/** With a certificate for the name; `authority` is what the gateway has to trust. */
async function secureUpstreamOn(host: string, handler: RequestListener) {
  const certificate = await selfSigned(name)
  const authority = join(await newFolder(), 'authority.pem')
  await writeFile(authority, certificate.cert)
  const serverNames: unknown[] = []
  const server = createHttpsServer(certificate, handler)
  server.on('secureConnection', (socket: TLSSocket & { servername?: unknown }) => {
    serverNames.push(socket.servername)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  ended.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, authority, serverNames }
}

interface Setting {
  readonly port: number
  readonly service?: object
  readonly dns?: object
  readonly env?: GatewayOptions['env']
}

async function gatewayFor(server: DnsServer, { port, service, dns, env }: Setting): Promise<TestGateway> {
  const gateway = await startGateway({
    config: {
      dns: { servers: [server.address], timeout: '500ms', ...dns },
      upstreams: [{ name: 'u', targets: [{ target: `${name}:${port}` }], ...circuitOff }],
      services: [{ name: 's', upstream: 'u', retries: 0, ...service }],
      routes: [{ name: 'r', service: 's', paths: ['/'] }],
    },
    ...(env && { env }),
  })
  ended.push(() => gateway.stop())
  return gateway
}

async function ask(gateway: TestGateway): Promise<number> {
  const answer = await fetch(gateway.url)
  await answer.arrayBuffer()
  return answer.status
}

interface Status {
  readonly targets: readonly { readonly addresses?: readonly string[]; readonly dns_error?: string | null }[]
}

async function statusOf(gateway: TestGateway) {
  const { stdout } = await gateway.cli('status', '--json')
  return (JSON.parse(stdout) as Status).targets[0]!
}

const metricsOf = async (gateway: TestGateway) => (await fetch(`${gateway.statusUrl}/metrics`)).text()

describe('addresses that change', () => {
  test('move the traffic without a failed request, and idle connections close', async () => {
    const before = await upstreamOn('127.0.0.1')
    const after = await upstreamOn('127.0.0.2', before.port)
    const dns = await dnsWith({ addresses: ['127.0.0.1'] })
    const gateway = await gatewayFor(dns, { port: before.port })
    expect(await Promise.all([1, 2, 3, 4].map(() => ask(gateway)))).toEqual([200, 200, 200, 200])
    dns.set(name, { addresses: ['127.0.0.2'] })
    const statuses = new Set<number>()
    await eventually('a request at the new address', async () => {
      statuses.add(await ask(gateway))
      return after.requests.length > 0
    })
    const requests = before.requests.length
    for (let round = 0; round < 5; round++) statuses.add(await ask(gateway))
    expect([...statuses]).toEqual([200])
    expect(before.requests).toHaveLength(requests)
    await eventually('the end of the connections', () => before.openConnections === 0)
  })

  test('let a request in flight end, and its connection after it', async () => {
    const held: ServerResponse[] = []
    const before = await upstreamOn('127.0.0.1', 0, (_, response) => void held.push(response))
    const after = await upstreamOn('127.0.0.2', before.port)
    const dns = await dnsWith({ addresses: ['127.0.0.1'] })
    const gateway = await gatewayFor(dns, { port: before.port })
    const slow = fetch(gateway.url)
    await eventually('the request', () => held.length === 1)
    dns.set(name, { addresses: ['127.0.0.2'] })
    await eventually('the new address', async () => (await statusOf(gateway)).addresses?.[0] === '127.0.0.2')
    expect(await ask(gateway)).toBe(200)
    expect(after.requests).toHaveLength(1)
    expect(before.openConnections).toBe(1)
    held[0]!.end('late')
    expect(await (await slow).text()).toBe('late')
    await eventually('the end of the connection', () => before.openConnections === 0)
  })
})

describe('a name', () => {
  test('that DNS does not know is a 502 that says so, until it does', async () => {
    const upstream = await upstreamOn('127.0.0.1')
    const dns = await dnsWith(undefined)
    const gateway = await gatewayFor(dns, { port: upstream.port })
    const answer = await fetch(gateway.url)
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ code: 'upstream-name-not-resolved' })
    expect(await statusOf(gateway)).toMatchObject({ addresses: [], dns_error: 'NXDOMAIN' })
    expect((await gateway.cli('status')).stdout).toMatch(/orders\.test:\d+ .*\(DNS: NXDOMAIN\)/)
    dns.set(name, { addresses: ['127.0.0.1'] })
    await eventually('an answer', async () => (await ask(gateway)) === 200)
    expect(await statusOf(gateway)).toMatchObject({ addresses: ['127.0.0.1'], dns_error: null })
    const log = await eventually('the lines of error.log', async () => {
      const text = await gateway.errorLog()
      return text.includes('has addresses again') && text
    })
    expect(log.match(/error DNS: name has no addresses name=orders\.test reason=NXDOMAIN\n/g)).toHaveLength(1)
    expect(log).toContain('info DNS: name has addresses again name=orders.test addresses=127.0.0.1\n')
    const metrics = await metricsOf(gateway)
    expect(metrics).toMatch(/^gatehouse_dns_resolutions_total\{name="orders\.test"\} [2-9]/m)
    expect(metrics).toMatch(/^gatehouse_dns_failures_total\{name="orders\.test"\} [1-9]/m)
    expect(metrics).toMatch(/^gatehouse_dns_addresses\{name="orders\.test"\} 1$/m)
  })

  test('keeps its addresses when the DNS server stops', async () => {
    const upstream = await upstreamOn('127.0.0.1')
    const dns = await dnsWith({ addresses: ['127.0.0.1'] })
    const gateway = await gatewayFor(dns, { port: upstream.port })
    expect(await ask(gateway)).toBe(200)
    await dns.stop()
    await eventually(
      'the failure',
      async () => (await statusOf(gateway)).dns_error === 'no DNS server is there',
    )
    expect(await ask(gateway)).toBe(200)
    expect(await statusOf(gateway)).toMatchObject({ addresses: ['127.0.0.1'] })
  })

  test('has a reload of the configuration take its servers over', async () => {
    const upstream = await upstreamOn('127.0.0.1')
    const [first, second] = [await dnsWith(undefined), await dnsWith({ addresses: ['127.0.0.1'] })]
    const gateway = await gatewayFor(first, { port: upstream.port })
    expect(await ask(gateway)).toBe(502)
    const file = `${gateway.configDirectory}/config.yaml`
    await writeFile(file, (await readFile(file, 'utf8')).replace(first.address, second.address))
    await gateway.cli('reload')
    expect(await ask(gateway)).toBe(200)
  })

  test('is followed on after a configuration that was refused', async () => {
    const before = await upstreamOn('127.0.0.1')
    const after = await upstreamOn('127.0.0.2', before.port)
    const dns = await dnsWith({ addresses: ['127.0.0.1'] })
    const gateway = await gatewayFor(dns, { port: before.port })
    expect(await ask(gateway)).toBe(200)
    const file = `${gateway.configDirectory}/config.yaml`
    const text = await readFile(file, 'utf8')
    const listener = `- host: 127.0.0.1\n    port: ${before.port}\n    protocol: http\n  `
    await writeFile(file, text.replace(name, 'other.test').replace('- host: 127.0.0.1\n', `${listener}$&`))
    expect((await gateway.cli('reload')).stderr).toContain('the port is taken')
    expect(await ask(gateway)).toBe(200)
    dns.set(name, { addresses: ['127.0.0.2'] })
    await eventually('a request at the new address', async () => {
      expect(await ask(gateway)).toBe(200)
      return after.requests.length > 0
    })
  })
})

describe('several addresses', () => {
  test('take connections in turn', async () => {
    const held: ServerResponse[] = []
    const hold = (_: unknown, response: ServerResponse) => void held.push(response)
    const first = await upstreamOn('127.0.0.1', 0, hold)
    const rest = [
      await upstreamOn('127.0.0.2', first.port, hold),
      await upstreamOn('127.0.0.3', first.port, hold),
    ]
    const dns = await dnsWith({ addresses: ['127.0.0.1', '127.0.0.2', '127.0.0.3'] })
    const gateway = await gatewayFor(dns, { port: first.port })
    const answers = Array.from({ length: 9 }, () => ask(gateway))
    await eventually('all requests', () => held.length === 9)
    expect([first, ...rest].map(({ connections }) => connections)).toEqual([3, 3, 3])
    for (const response of held) response.end()
    expect(new Set(await Promise.all(answers))).toEqual(new Set([200]))
  })

  test('have a connection each with HTTP/2', async () => {
    const seen = new Map<string, number>()
    const open = new Map<string, number>()
    const start = async (host: string, port = 0) => {
      const server = createHttp2Server()
      const count = (more: number) => open.set(host, (open.get(host) ?? 0) + more)
      server.on('session', (session) => {
        count(1)
        session.once('close', () => count(-1))
      })
      server.on('stream', (stream) => {
        seen.set(host, (seen.get(host) ?? 0) + 1)
        stream.respond({ ':status': 200 })
        stream.end()
      })
      ended.push(() => server.close())
      await new Promise<void>((resolve) => server.listen(port, host, resolve))
      return (server.address() as AddressInfo).port
    }
    const port = await start('127.0.0.1')
    await start('127.0.0.2', port)
    const dns = await dnsWith({ addresses: ['127.0.0.1', '127.0.0.2'] })
    const gateway = await gatewayFor(dns, { port, service: { http_version: '2' } })
    for (let round = 0; round < 4; round++) expect(await ask(gateway)).toBe(200)
    expect([...seen.keys()].toSorted()).toEqual(['127.0.0.1', '127.0.0.2'])
    expect([...open.values()]).toEqual([1, 1])
    seen.clear()
    dns.set(name, { addresses: ['127.0.0.2'] })
    await eventually('the new address', async () => (await statusOf(gateway)).addresses?.length === 1)
    for (let round = 0; round < 4; round++) expect(await ask(gateway)).toBe(200)
    expect([...seen]).toEqual([['127.0.0.2', 4]])
    await eventually('the end of the other connection', () => open.get('127.0.0.1') === 0)
  })

  test.each([
    ['IPv6', '::1', '127.0.0.1'],
    ['IPv4', '127.0.0.1', '::1'],
  ])('of which only that of %s listens cost no request', async (_, alive, dead) => {
    const upstream = await upstreamOn(alive)
    const dns = await dnsWith({ addresses: [alive, dead] })
    const gateway = await gatewayFor(dns, { port: upstream.port })
    const statuses = await Promise.all(Array.from({ length: 6 }, () => ask(gateway)))
    expect(statuses).toEqual(Array(6).fill(200))
    expect(upstream.requests).toHaveLength(6)
  })

  test.each([
    ['IPv6', '::1', '127.0.0.1'],
    ['IPv4', '127.0.0.1', '::1'],
  ])('of which only that of %s answers cost no request, nor with TLS', async (_, alive, hole) => {
    const body = Buffer.alloc(1_000_000, 'abcdefghij')
    const { port, authority, serverNames } = await secureUpstreamOn(alive, (_request, response) =>
      response.end(body),
    )
    const blackHole = await startBlackHole(hole, port)
    ended.push(() => blackHole.stop())
    const dns = await dnsWith({ addresses: [alive, hole] })
    const env = { NODE_EXTRA_CA_CERTS: authority }
    const gateway = await gatewayFor(dns, { port, service: { protocol: 'https' }, env })
    const answer = await fetch(gateway.url)
    expect(answer.status).toBe(200)
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true)
    expect(serverNames).toEqual([name])
  })

  test('of which none answers are a 504 after connect_timeout', async () => {
    const hole = await startBlackHole('127.0.0.1')
    const others = [await startBlackHole('127.0.0.2', hole.port), await startBlackHole('::1', hole.port)]
    ended.push(...[hole, ...others].map((one) => () => one.stop()))
    const dns = await dnsWith({ addresses: ['127.0.0.1', '127.0.0.2', '::1'] })
    const gateway = await gatewayFor(dns, { port: hole.port, service: { connect_timeout: '600ms' } })
    const answer = await fetch(gateway.url)
    expect(answer.status).toBe(504)
    expect(await answer.json()).toMatchObject({ code: 'upstream-connect-timeout' })
    await eventually('the reason', async () =>
      (await gateway.errorLog()).includes('connect-timeout after 600 ms'),
    )
  })

  test('of which none listens are a 502', async () => {
    const dns = await dnsWith({ addresses: ['127.0.0.1', '127.0.0.2'] })
    const gateway = await gatewayFor(dns, { port: await freePort() })
    const answer = await fetch(gateway.url)
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ code: 'upstream-connection-refused' })
  })
})
