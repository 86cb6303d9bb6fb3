import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, expect, test as plainTest } from '@jest/globals'
import { acmeSchema } from '../../../../gateway-runtime/src/config/acme-settings.ts'
import { CertificateAdministration } from '../../../../gateway-runtime/src/control-plane/certificates/certificate-administration.ts'
import {
  type EntryStore,
  LeaseLost,
} from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-store.ts'
import { wantedDomains } from '../../../../gateway-runtime/src/control-plane/certificates/wanted-domains.ts'
import type { Challenges } from '../../../../gateway-runtime/src/worker-messages.ts'
import { startAcmeGate } from '../../../support/acme-gate.ts'
import { newAuthority } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { movedClock } from '../../../support/moved-clock.ts'
import { type SingleNodeOptions, startSingleNode } from '../../../support/one-certificate.ts'
import { startPebble } from '../../../support/pebble.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const { test } = await programForTests('pebble')
const newFolder = temporaryFolders()
const minute = 60_000
const day = 86_400_000
const ended: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** A node with a clock that is moved, and a gate in front of its authority. */
async function start(options: SingleNodeOptions = {}) {
  let challenges: Challenges['http'] = new Map()
  const server = createServer((request, response) => {
    response.end(challenges.get(request.url!.split('/').at(-1)!))
  })
  const httpPort = await listenOnFreePort(server)
  ended.push(() => server.close())
  const pebble = await startPebble({ httpPort })
  ended.push(() => pebble.stop())
  const newGate = async () => {
    const gate = await startAcmeGate(pebble)
    ended.push(() => gate.stop())
    return gate
  }
  const gate = await newGate()
  const time = movedClock()
  const onChallenges = (all: Challenges) => {
    challenges = all.http
  }
  const acmeOf = (directory: string) => ({ authorities: [{ directory, ca: pebble.ca }] })
  const folder = await newFolder()
  const node = startSingleNode(folder, acmeOf(gate.directory), {
    onChallenges,
    clock: time.clock,
    ...options,
  })
  ended.push(() => node.certificates.close())
  return { node, gate, newGate, acmeOf, pebble, folder, ...time }
}

const none = { routes: [] }

test('a domain that is wanted no more is not shown nor renewed; wanted again, it has its certificate', async () => {
  const { node, pebble, move } = await start()
  await node.order(['a.example.com', 'b.example.com'])
  const before = node.shownFor('b.example.com')
  await node.order(['a.example.com'])
  expect(node.shownFor('b.example.com')).toBeUndefined()
  await node.order(['a.example.com', 'b.example.com'])
  expect(node.shownFor('b.example.com')).toBe(before)
  expect(pebble.orders()).toBe(2)

  await node.order(['a.example.com'])
  for (let passed = 0; passed < 90; passed += 30) {
    move(30 * day)
    await node.certificates.settled()
  }
  move(2 * day)
  await node.certificates.settled()
  expect(pebble.orders()).toBe(3) // of these, the third is the renewal of a
})

test('what has expired long ago is kept no more', async () => {
  const { node, move, clock } = await start()
  await node.order(['a.example.com', 'gone.example.com'])
  await node.order(['a.example.com'])
  const years = 6 * 365 * day // the authority's certificates last five
  move(years)
  await node.certificates.settled()
  expect(node.repository.certificates.map(({ domain }) => domain)).toEqual(['a.example.com'])
  expect(node.repository.certificate('a.example.com')!.issuedAt).toBeGreaterThan(clock.now() - day)
})

test('a certificate of an authority that is set no more, as one for trials, is replaced by one of those that are', async () => {
  const { node, gate, newGate, acmeOf, move } = await start()
  const other = await newGate()
  await node.order(['a.example.com'])
  const trial = node.shownFor('a.example.com')
  const acme = acmeSchema.parse({ terms_of_service_agreed: true, ...acmeOf(other.directory) })
  await node.certificates.apply(acme, ['a.example.com'])
  await node.certificates.settled()
  expect(other.orders.size).toBe(0) // nodes whose settings differ for a moment must not order by turns
  expect(node.shownFor('a.example.com')).toBe(trial)
  for (let turn = 0; turn < 3; turn++) {
    move(10 * minute)
    await node.certificates.settled()
  }
  expect([gate.orders.get('a.example.com'), other.orders.get('a.example.com')]).toEqual([1, 1])
  expect(node.certificates.states[0]).toMatchObject({ authority: other.directory, lastError: undefined })
  expect(node.shownFor('a.example.com')).not.toBe(trial)
})

plainTest(
  'hosts of routes below a wildcard that is ordered are its; those that are named are ordered',
  () => {
    const dns = { provider: 'route53', hosted_zone_id: 'Z1' }
    const settings = (more: object) =>
      acmeSchema.parse({
        authorities: [{ directory: 'https://ca.example/dir' }],
        terms_of_service_agreed: true,
        ...more,
      })
    const hosts = [
      'Shop.example.com',
      'a.b.example.com',
      'example.com',
      'xn--bcher-kva.example',
      '*.example.org',
    ]
    const routes = { routes: [{ hosts }] } as unknown as Parameters<typeof wantedDomains>[1]
    const domains = ['*.example.com', 'api.example.com', 'below.example.org']
    expect(wantedDomains(settings({ dns, domains }), routes, [])).toEqual({
      domains: [
        ...['*.example.com', '*.example.org', 'a.b.example.com', 'api.example.com', 'below.example.org'],
        ...['example.com', 'xn--bcher-kva.example'],
      ],
      wildcards: [],
    })
    // Where wildcards cannot be ordered, they cover nothing.
    expect(wantedDomains(settings({ domains: ['below.example.org'] }), routes, [])).toEqual({
      domains: [
        ...[
          'a.b.example.com',
          'below.example.org',
          'example.com',
          'shop.example.com',
          'xn--bcher-kva.example',
        ],
      ],
      wildcards: ['*.example.org'],
    })
    expect(wantedDomains(settings({ domains: ['a.example.com'] }), none, []).domains).toEqual([
      'a.example.com',
    ])
  },
)

test('certificates of names are shown until the wildcard above them has one', async () => {
  const { node } = await start()
  await node.order(['a.example.com', 'b.example.net'])
  const before = node.shownFor('a.example.com')
  expect(before).toBeDefined()
  await node.order(['*.example.com']) // in vain: there is no DNS to prove it in
  expect(node.shownFor('a.example.com')).toBe(before)
  expect(node.shownFor('b.example.net')).toBeUndefined()
})

test('an international name is ordered in its ASCII form', async () => {
  const { node } = await start()
  expect(await node.order(['xn--bcher-kva.example'])).toEqual([undefined])
  expect(node.shownFor('xn--bcher-kva.example')).toBeDefined()
})

test('what is imported is for all of its names, and each of them is ordered when its end comes near', async () => {
  const { node, pebble, move } = await start()
  const outside = await newAuthority()
  const names = ['www.example.com', 'example.com', '*.shop.example.com']
  const wanted = ['example.com', 'a.shop.example.com', 'www.example.com']
  expect(await node.order(['example.com'])).toEqual([undefined])
  const own = await outside.issue({ dns: names, lifetime: 60 * day })
  const administration = new CertificateAdministration(node.certificates, node.repository)
  expect((await administration.import(own.certificate, own.key)).hosts).toEqual(names)
  await node.order(wanted)
  for (const name of [...wanted, 'b.shop.example.com']) expect(node.shownFor(name)).toBe(own.certificate)
  move(39 * day)
  await node.certificates.settled()
  expect(pebble.orders()).toBe(1)
  move(2 * day)
  await node.certificates.settled()
  expect(pebble.orders()).toBe(1 + wanted.length)
  for (const name of wanted) expect(node.shownFor(name)).not.toBe(own.certificate)
  expect(node.shownFor('b.shop.example.com')).toBe(own.certificate) // nobody else has one for it
})

test('what was imported and is damaged in the store is put back by a node that has it whole', async () => {
  const { node, folder } = await start()
  await node.order(['a.example.com'])
  const own = await (await newAuthority()).issue({ dns: ['own.example.net'] })
  await new CertificateAdministration(node.certificates, node.repository).import(own.certificate, own.key)
  const file = join(folder, 'certificates/imported-own.example.net.json')
  const whole = await readFile(file, 'utf8')
  await writeFile(file, whole.slice(0, -100))
  node.certificates.renew()
  await node.certificates.settled()
  expect(await readFile(file, 'utf8')).toBe(whole)
  expect(node.lines.join()).toMatch(/put aside.*imported-own/)
  expect(node.shownFor('own.example.net')).toBe(own.certificate)
})

test('what was to be ordered anew is not forgotten where the lease is lost', async () => {
  let isLost = false
  const storeOf = (files: EntryStore): EntryStore => ({
    changes: (since) => files.changes(since),
    acquire: () => files.acquire(),
    takenUp: (cursor) => files.takenUp(cursor),
    close: () => files.close(),
    write: async (entries, lease) => {
      if (isLost) throw new LeaseLost()
      return files.write(entries, lease)
    },
  })
  const { node, pebble } = await start({ storeOf })
  await node.order(['a.example.com', 'b.example.com'])
  isLost = true
  node.certificates.renew()
  await node.certificates.settled()
  expect(pebble.orders()).toBe(2)
  isLost = false
  await eventually('both are ordered again', () => pebble.orders() === 4, 10_000)
  await node.certificates.settled()
  expect(node.certificates.states.map(({ failures }) => failures)).toEqual([0, 0])
})

test('an authority that says nothing of renewals holds no order up, and is not asked for each certificate', async () => {
  const { node, gate, move } = await start()
  const domains = Array.from({ length: 12 }, (_, index) => `d${index}.example.com`)
  let isSilent = false
  const asked: number[] = []
  gate.suggest(() => {
    asked.push(gate.requested.length)
    if (isSilent) throw new Error('no answer')
    return { start: Date.now() + 60 * day, end: Date.now() + 61 * day }
  })
  await node.order(domains)
  expect(asked).toHaveLength(domains.length)
  isSilent = true
  asked.length = 0
  node.certificates.renew(['d0.example.com'])
  move(7 * 3_600_000)
  await node.certificates.settled()
  expect(gate.requested).toHaveLength(domains.length + 1)
  expect(asked.length).toBeLessThanOrEqual(4)
  expect(new Set(asked)).toEqual(new Set([domains.length + 1])) // behind the order
})
