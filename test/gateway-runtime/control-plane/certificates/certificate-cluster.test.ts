import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import { slotOf } from '../../../../gateway-runtime/src/control-plane/redis/cluster-client.ts'
import { startProgram } from '../../../../scripts/process/program.ts'
import { type AcmeGate, type AcmeStep, acmeSteps, startAcmeGate } from '../../../support/acme-gate.ts'
import { type CertificateNode, startCertificateNode } from '../../../support/certificate-node.ts'
import { eventually } from '../../../support/eventually.ts'
import { type Pebble, startPebble } from '../../../support/pebble.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { type RedisCluster, startRedisCluster } from '../../../support/redis-cluster.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const redisServer = await programForTests('redis-server')
const { isInstalled, test: testWithPebble } = await programForTests('pebble')
const test = redisServer.isInstalled ? testWithPebble : redisServer.test
const newFolder = temporaryFolders()
const long = 60_000
const program = join(import.meta.dirname, '../../../support/certificate-node.ts')

let cluster: RedisCluster
let pebble: Pebble
const nodes = new Set<CertificateNode>()
const ended: (() => Promise<unknown> | unknown)[] = []
let turn = 0

beforeAll(async () => {
  if (!redisServer.isInstalled || !isInstalled) return
  cluster = await startRedisCluster(redisServer.path, { nodeTimeout: 1_500 })
  ended.push(() => cluster.stop())
  // The authority asks one node after another, whichever has made the order.
  const responder = createServer((request, response) => {
    const all = [...nodes]
    const token = request.url!.split('/').at(-1)!
    const known = all.filter(({ challenges }) => challenges.http.has(token))
    const asked = known.length > 0 ? known[turn++ % known.length] : undefined
    const isKnownToAll =
      all.filter((node) => prefixes.get(node) === prefixes.get(asked!)).length === known.length
    response.writeHead(asked && isKnownToAll ? 200 : 404).end(asked?.challenges.http.get(token))
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

let prefix = 0
const newPrefix = () => `p${prefix++}`
const prefixes = new Map<CertificateNode, string>()

async function settings(gate: AcmeGate, prefix: string, domains: readonly string[]) {
  const folder = await newFolder()
  const { ca } = pebble
  return {
    redis: cluster.addresses,
    prefix,
    directory: gate.directory,
    ca,
    domains,
    folder,
    leaseTime: 1_500,
  }
}

async function startNode(
  gate: AcmeGate,
  prefix: string,
  domains: readonly string[],
): Promise<CertificateNode> {
  const node = await startCertificateNode(await settings(gate, prefix, domains))
  nodes.add(node)
  prefixes.set(node, prefix)
  return node
}

async function stopNode(node: CertificateNode): Promise<void> {
  nodes.delete(node)
  await node.stop()
}

const has = (node: CertificateNode, domains: readonly string[]) =>
  domains.every((domain) => node.shown.some(({ hosts }) => hosts.includes(domain)))

async function open(): Promise<AcmeGate> {
  const gate = await startAcmeGate(pebble)
  ended.push(() => gate.stop())
  return gate
}

describe('three nodes with one store', () => {
  test(
    'order each of 20 domains once, and all show the same',
    async () => {
      const gate = await open()
      const domains = Array.from({ length: 20 }, (_, index) => `d${index}.example.com`)
      const name = newPrefix()
      const three = await Promise.all([0, 1, 2].map(() => startNode(gate, name, domains)))
      const same = () =>
        three.every((node) => has(node, domains)) &&
        new Set(three.map(({ shown }) => JSON.stringify(shown.map(({ certificate }) => certificate).sort())))
          .size === 1
      await eventually('all have all', same, 50_000).catch((error) => {
        throw new Error(
          `${error.message}: ${three
            .flatMap(({ lines }) => lines)
            .slice(-5)
            .join('\n')}`,
        )
      })
      expect([...gate.orders.values()]).toEqual(domains.map(() => 1))
      expect(gate.orders.size).toBe(20)
      for (const node of three) await stopNode(node)
    },
    long,
  )
})

describe('a node that is killed', () => {
  const scenarios = acmeSteps.flatMap((step) =>
    (['before', 'after'] as const).map((when): [AcmeStep, 'before' | 'after'] => [step, when]),
  )
  test(
    'at whatever step of an order leaves it to another, which ends it without a second one',
    async () => {
      const waiting = [...scenarios]
      const lane = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await killedAt(...next)
      }
      await Promise.all([lane(), lane(), lane(), lane()])
    },
    long * 2,
  )

  async function killedAt(step: AcmeStep, when: 'before' | 'after'): Promise<void> {
    const gate = await open()
    const name = newPrefix()
    const domain = `${when}-${step.toLowerCase()}.example.com`
    const survivor = await startNode(gate, name, [])
    const first = await startProgram({
      name: 'node',
      command: [process.execPath, program, JSON.stringify(await settings(gate, name, [domain]))],
    })
    let isKilled = false
    gate.holdAt(step, when, async () => {
      await first.stop({ signal: 'SIGKILL' })
      isKilled = true
    })
    await eventually(`killed ${when} ${step}`, () => isKilled, 30_000).catch((error) => {
      throw new Error(`${error.message}: ${first.output()}`)
    })
    await survivor.order([domain])
    await eventually(`${domain} is there`, () => has(survivor, [domain]), 30_000).catch((error) => {
      throw new Error(`${error.message}: ${survivor.lines.join('\n')}`)
    })
    expect([domain, gate.orders.get(domain)]).toEqual([domain, 1])
    await stopNode(survivor)
  }
})

test(
  'Redis failing over in the middle of an order delays it and doubles nothing',
  async () => {
    const gate = await open()
    const name = newPrefix()
    const two = await Promise.all([0, 1].map(() => startNode(gate, name, [])))
    const primary = await cluster.primaryOf(slotOf(`${name}:{certificates}:entries`))
    gate.holdAt('challenge', 'after', () => primary.kill())
    for (const node of two) await node.order(['failover.example.com'])
    await eventually(
      'both show it',
      () => two.every((node) => has(node, ['failover.example.com'])),
      50_000,
    ).catch((error) => {
      throw new Error(`${error.message}: ${two.flatMap(({ lines }) => lines).join('\n')}`)
    })
    expect(gate.orders.get('failover.example.com')).toBe(1)
    for (const node of two) await stopNode(node)
    await primary.restart()
  },
  long,
)
