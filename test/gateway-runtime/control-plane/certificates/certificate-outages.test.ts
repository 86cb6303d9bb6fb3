import { createServer } from 'node:http'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { slotOf } from '../../../../gateway-runtime/src/control-plane/redis/cluster-client.ts'
import { type AcmeGate, startAcmeGate } from '../../../support/acme-gate.ts'
import { type CertificateNode, startCertificateNode } from '../../../support/certificate-node.ts'
import { eventually } from '../../../support/eventually.ts'
import { movedClock } from '../../../support/moved-clock.ts'
import { type Pebble, startPebble } from '../../../support/pebble.ts'
import { freePort, listenOnFreePort } from '../../../support/ports.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const redisServer = await programForTests('redis-server')
const pebbleProgram = await programForTests('pebble')
const test = redisServer.isInstalled ? pebbleProgram.test : redisServer.test
const newFolder = temporaryFolders()
const long = 60_000
const hour = 3_600_000
const day = 24 * hour

let redis: RedisCluster
let pebble: Pebble
const nodes = new Set<CertificateNode>()
const ended: (() => Promise<unknown> | unknown)[] = []

beforeAll(async () => {
  if (!redisServer.isInstalled || !pebbleProgram.isInstalled) return
  redis = await startRedisCluster(redisServer.path)
  ended.push(() => redis.stop())
  const responder = createServer((request, response) => {
    const token = request.url!.split('/').at(-1)!
    const known = [...nodes].map(({ challenges }) => challenges.http.get(token)).find(Boolean)
    response.writeHead(known === undefined ? 404 : 200).end(known)
  })
  const httpPort = await listenOnFreePort(responder)
  ended.push(() => responder.close())
  pebble = await startPebble({ httpPort })
  ended.push(() => pebble.stop())
}, long)
afterAll(async () => {
  for (const node of nodes) await node.stop()
  for (const end of ended.reverse()) await end()
})

async function openGate(): Promise<AcmeGate> {
  const gate = await startAcmeGate(pebble)
  ended.push(() => gate.stop())
  return gate
}

interface Given {
  readonly gate: AcmeGate
  readonly prefix: string
  readonly domains: readonly string[]
  readonly folder?: string
  /** Addresses; those of the cluster. */
  readonly addresses?: readonly string[]
}

async function startNode(
  { gate, folder, addresses, ...given }: Given,
  ...clock: [clock?: Parameters<typeof startCertificateNode>[1]]
) {
  const settings = {
    ...given,
    redis: addresses ?? redis.addresses,
    directory: gate.directory,
    ca: pebble.ca,
    folder: folder ?? (await newFolder()),
    leaseTime: 1_500,
  }
  const node = await startCertificateNode(settings, ...clock)
  nodes.add(node)
  return node
}

async function stop(...some: readonly CertificateNode[]): Promise<void> {
  for (const node of some) {
    nodes.delete(node)
    await node.stop()
  }
}

const linesOf = (some: readonly CertificateNode[]) => some.flatMap(({ lines }) => lines).join('\n')

/** What a node shows, by domain. */
const shownBy = ({ shown }: CertificateNode) =>
  Object.fromEntries(shown.map(({ hosts, certificate }) => [hosts[0], certificate]))

const allShow = (some: readonly CertificateNode[], domains: readonly string[]) =>
  eventually(
    'all show all',
    () =>
      some.every(({ shown }) => domains.every((domain) => shown.some(({ hosts }) => hosts.includes(domain)))),
    30_000,
  ).catch((error) => {
    throw new Error(`${error.message}\n${linesOf(some)}`)
  })

/** Nothing is to be written any more: all are there, and their authority was asked when to renew them. */
const atRest = (node: CertificateNode, domains: readonly string[]) =>
  eventually(
    'the node is at rest',
    () => domains.every((domain) => (node.repository.certificate(domain)?.askAt ?? 0) > Date.now()),
    30_000,
  ).catch((error) => {
    throw new Error(`${error.message}\n${linesOf([node])}`)
  })

test(
  'an authority that is out for a day while all is to be renewed is asked ever less, and all is renewed when it is back',
  async () => {
    const gate = await openGate()
    const { clock, move } = movedClock()
    const domains = ['a.example.com', 'b.example.com', 'c.example.com']
    const given = { gate, prefix: 'outage', domains }
    const three = await Promise.all([0, 1, 2].map(() => startNode(given, clock)))
    await allShow(three, domains)
    const before = shownBy(three[0]!)

    gate.isOut = true
    move(91 * day)
    const failures = () => three[0]!.certificates.states.map((state) => state.failures)
    const known = ({ repository }: CertificateNode) =>
      JSON.stringify(domains.map((domain) => repository.progress(domain)))
    const rest = async () => {
      await Promise.all(three.map(({ certificates }) => certificates.settled()))
      await eventually('all know the same', () => new Set(three.map(known)).size === 1)
    }
    await eventually('all have failed', () => failures().every((count) => count > 0), 20_000)
    await rest()
    for (let passed = 0; passed < 24; passed++) {
      const due = three[0]!.certificates.states.filter(({ dueAt }) => dueAt <= clock.now() + hour)
      const refused = gate.refused
      move(hour)
      if (due.length > 0) await eventually('they are asked again', () => gate.refused > refused, 20_000)
      await rest()
      for (const node of three) expect(shownBy(node)).toEqual(before)
    }
    expect(Math.min(...failures())).toBeGreaterThan(3)
    expect(Math.max(...failures())).toBeLessThan(24) // and not by every node, nor every hour
    for (const { lastError } of three[1]!.certificates.states) expect(lastError).toMatch(/./)

    gate.isOut = false
    move(6 * hour)
    const isNew = (node: CertificateNode) =>
      domains.every((domain) => shownBy(node)[domain] !== before[domain])
    await eventually('all show new ones', () => three.every(isNew), 30_000).catch((error) => {
      throw new Error(`${error.message}\n${linesOf(three)}`)
    })
    expect(Object.fromEntries(gate.orders)).toEqual(Object.fromEntries(domains.map((domain) => [domain, 2])))
    for (const { failures, lastError } of three[2]!.certificates.states)
      expect({ failures, lastError }).toEqual({ failures: 0, lastError: undefined })
    await stop(...three)
  },
  long * 2,
)

test(
  'an entry in Redis that is damaged is put aside and ordered anew by who finds it, and nothing else is touched',
  async () => {
    const gate = await openGate()
    const [prefix, domains] = ['damage', ['a.example.com', 'b.example.com']]
    const given = { gate, prefix, domains }
    const first = await startNode(given)
    await atRest(first, domains)
    const key = `${prefix}:{certificates}:entries`
    const primary = await redis.primaryOf(slotOf(key))
    const entries = async () => {
      return { ...((await primary.command('HGETALL', key)) as Record<string, string>) }
    }
    const { 'domain-a.example.com': sealed, ...others } = await entries()
    const bytes = Buffer.from(sealed!, 'base64')
    bytes[bytes.length >> 1]! ^= 1
    const damaged = bytes.toString('base64')
    await primary.command('HSET', key, 'domain-a.example.com', damaged)

    const second = await startNode(given) // who has read it before goes on with what it knows
    await atRest(second, domains)
    expect(linesOf([second])).toMatch(/damaged entry of the certificate store put aside/)
    const { 'domain-a.example.com': fresh, ...after } = await entries()
    expect(fresh).not.toBe(damaged)
    const aside = Object.keys(after).filter((name) => name.startsWith('damaged-'))
    expect(aside).toEqual([expect.stringMatching(/^damaged-[0-9a-f]{8}-domain-a\.example\.com$/)])
    expect(after).toEqual({ ...others, [aside[0]!]: damaged })
    expect(Object.fromEntries(gate.orders)).toEqual({ 'a.example.com': 2, 'b.example.com': 1 })
    await eventually(
      'the first node shows the new one too',
      () => shownBy(first)['a.example.com'] === shownBy(second)['a.example.com'],
    )
    await stop(first, second)
  },
  long,
)

test(
  'an entry that another key has encrypted is left as it is; the others are shown, and nothing is written',
  async () => {
    const gate = await openGate()
    const [prefix, domains] = ['locked', ['a.example.com', 'b.example.com']]
    const given = { gate, prefix, domains }
    const first = await startNode(given)
    await atRest(first, domains)
    await stop(first)
    const key = `${prefix}:{certificates}:entries`
    const primary = await redis.primaryOf(slotOf(key))
    const bytes = Buffer.from(String(await primary.command('HGET', key, 'domain-a.example.com')), 'base64')
    bytes[1]! ^= 1 // of the id of the key
    const locked = bytes.toString('base64')
    await primary.command('HSET', key, 'domain-a.example.com', locked)

    const second = await startNode(given)
    await allShow([second], ['b.example.com'])
    await eventually('the reason', () => /a key that this node does not have/.test(linesOf([second])))
    await second.certificates.settled()
    expect(await primary.command('HGET', key, 'domain-a.example.com')).toBe(locked)
    expect(Object.fromEntries(gate.orders)).toEqual({ 'a.example.com': 1, 'b.example.com': 1 })
    await stop(second)
  },
  long,
)

test(
  'a node starts with its own encrypted copy while neither store nor authority answers',
  async () => {
    const gate = await openGate()
    const domains = ['a.example.com', 'b.example.com']
    const given = { gate, prefix: 'alone', domains, folder: await newFolder() }
    const first = await startNode(given)
    await atRest(first, domains)
    const before = shownBy(first)
    await stop(first)

    gate.isOut = true
    const again = await startNode({ ...given, addresses: [`127.0.0.1:${await freePort()}`] })
    expect(shownBy(again)).toEqual(before)
    expect(linesOf([again])).toMatch(/certificate store out of reach; what is known of it stays in use/)
    expect(gate.refused).toBe(0) // nobody orders who cannot write down what comes
    await stop(again)
  },
  long,
)
