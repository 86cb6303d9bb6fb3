import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { certificateHosts } from '../../../../gateway-runtime/src/config/tls-files.ts'
import { systemClock } from '../../../../gateway-runtime/src/control-plane/certificates/clock.ts'
import { openDnsSolver } from '../../../../gateway-runtime/src/control-plane/certificates/dns/open-dns-solver.ts'
import { preflight } from '../../../../gateway-runtime/src/control-plane/certificates/preflight/preflight.ts'
import { type Bind, startBind } from '../../../support/bind.ts'
import { startSingleNode } from '../../../support/one-certificate.ts'
import { startPebble } from '../../../support/pebble.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const named = await programForTests('named')
const pebbleProgram = await programForTests('pebble')
const testDns = pebbleProgram.isInstalled ? named.test : pebbleProgram.test
const newFolder = temporaryFolders()
const ended: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function newBind(records: readonly string[] = []): Promise<Bind> {
  const bind = await startBind(named.path, records)
  ended.push(() => bind.stop())
  return bind
}

const updates = (bind: Bind, more: object = {}) => ({
  provider: 'rfc2136' as const,
  server: bind.server,
  zone: bind.zone,
  key_name: bind.key.name,
  key_algorithm: 'hmac-sha256' as const,
  key_secret: bind.key.secret,
  propagation_wait: 1,
  ...more,
})

describe('dns-01 by dynamic updates of BIND', () => {
  testDns('gets certificates for wildcards and names, and leaves no record behind', async () => {
    const bind = await newBind()
    const pebble = await startPebble({ dnsServer: bind.server })
    ended.push(() => pebble.stop())
    const acme = {
      authorities: [{ directory: pebble.directory, ca: pebble.ca }],
      challenge: 'dns-01',
      dns: updates(bind),
    }
    const node = startSingleNode(await newFolder(), acme, { resolver: bind.resolver })
    ended.push(() => node.certificates.close())
    expect(await node.order(['*.example.com', 'example.com'])).toEqual([undefined, undefined])
    const shown = node.shown().flatMap(({ certificate }) => certificateHosts(certificate))
    expect(shown.sort()).toEqual(['*.example.com', 'example.com'])
    await expect(bind.resolver.resolveTxt('_acme-challenge.example.com')).rejects.toThrow(/ENOTFOUND|ENODATA/)
  })

  named.test('keeps the records of two challenges of one name apart', async () => {
    const bind = await newBind()
    const solver = await openDnsSolver(updates(bind), systemClock, bind.resolver)
    const undoFirst = await solver.present('example.com', 't', 'first')
    const undoSecond = await solver.present('*.example.com', 't', 'second')
    const texts = () => bind.resolver.resolveTxt('_acme-challenge.example.com')
    expect(await texts()).toHaveLength(2)
    await undoFirst()
    expect(await texts()).toHaveLength(1)
    await undoSecond()
  })

  testDns('makes the record where a CNAME leads to', async () => {
    const bind = await newBind([
      '_acme-challenge.handed-over IN CNAME first.aliases',
      'first.aliases IN CNAME second.aliases',
      '_acme-challenge.circle IN CNAME _acme-challenge.circle',
    ])
    const pebble = await startPebble({ dnsServer: bind.server })
    ended.push(() => pebble.stop())
    const acme = {
      authorities: [{ directory: pebble.directory, ca: pebble.ca }],
      challenge: 'dns-01',
      dns: updates(bind),
    }
    const node = startSingleNode(await newFolder(), acme, { resolver: bind.resolver })
    ended.push(() => node.certificates.close())
    expect(await node.order(['handed-over.example.com'])).toEqual([undefined])
    const solver = await openDnsSolver(updates(bind), systemClock, bind.resolver)
    const undo = await solver.present('handed-over.example.com', 't', 'key')
    expect(await bind.resolver.resolveTxt('second.aliases.example.com')).toHaveLength(1)
    await undo()
    await expect(bind.resolver.resolveTxt('second.aliases.example.com')).rejects.toThrow(/ENOTFOUND|ENODATA/)
    await expect(solver.present('circle.example.com', 't', 'key')).rejects.toThrow(
      /lead on more than 8 times/,
    )
  })

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['secret', { key_secret: Buffer.alloc(32, 1).toString('base64') }, /the signature is wrong|NOTAUTH/],
    ['key name', { key_name: 'other' }, /does not know the key|NOTAUTH/],
    ['zone', { zone: 'example.net' }, /NOTAUTH|NOTZONE|REFUSED/],
  ]
  for (const [what, setting, reason] of wrong)
    named.test(`says what is wrong where the ${what} is another one there`, async () => {
      const bind = await newBind()
      const solver = await openDnsSolver(updates(bind, setting), systemClock, bind.resolver)
      await expect(solver.present('example.com', 't', 'k')).rejects.toThrow(reason)
    })
})

describe('before an order', () => {
  const identities = ['letsencrypt.org']
  const records = [
    'here IN A 192.0.2.1',
    'forbidden IN A 192.0.2.1',
    'forbidden IN CAA 0 issue "other.example"',
    'allowed IN A 192.0.2.1',
    'allowed IN CAA 0 issue "letsencrypt.org; validationmethods=http-01"',
    'nobody IN A 192.0.2.1',
    'nobody IN CAA 0 issue ";"',
    'wild IN A 192.0.2.1',
    'wild IN CAA 0 issue "letsencrypt.org"',
    'wild IN CAA 0 issuewild "other.example"',
    'critical IN A 192.0.2.1',
    'critical IN TYPE257 \\# 8 80 03 74 62 73 6e 6f 70',
  ]
  named.test('addresses and CAA records are looked at', async () => {
    const { resolver } = await newBind(records)
    const ask = (domain: string, challenge: 'http-01' | 'dns-01' = 'http-01') =>
      preflight({ domain, challenge, identities }, resolver)
    expect(await ask('here.example.com')).toBeUndefined()
    expect(await ask('allowed.example.com')).toBeUndefined()
    expect(await ask('none.example.com')).toMatch(/no address in the DNS/)
    expect(await ask('none.example.com', 'dns-01')).toBeUndefined()
    expect(await ask('forbidden.example.com')).toMatch(
      /let other\.example issue; add one for letsencrypt\.org/,
    )
    expect(await ask('below.forbidden.example.com', 'dns-01')).toMatch(/let other\.example issue/)
    expect(await ask('nobody.example.com')).toMatch(/let nobody issue/)
    expect(await ask('wild.example.com')).toBeUndefined()
    expect(await ask('*.wild.example.com')).toMatch(/let other\.example issue/)
  })

  test('a DNS that does not answer is not held against a domain', async () => {
    const fails = () => Promise.reject(Object.assign(new Error('no'), { code: 'ETIMEOUT' }))
    const resolver = { resolve4: fails, resolve6: fails, resolveCaa: fails } as never
    expect(
      await preflight({ domain: 'a.example.com', challenge: 'http-01', identities }, resolver),
    ).toBeUndefined()
  })
})

describe('dns-01 by Route 53', () => {
  /** Speaks as much of its wire protocol (REST with XML) as the client of the SDK asks for. */
  async function startRoute53() {
    let values: string[] = []
    const changes: string[] = []
    const server = createServer(async (request, response) => {
      const body = await text(request)
      const reply = (root: string, content: string) =>
        response
          .writeHead(200, { 'content-type': 'text/xml' })
          .end(
            `<?xml version="1.0"?><${root} xmlns="https://route53.amazonaws.com/doc/2013-04-01/">${content}</${root}>`,
          )
      const info = (status: string) =>
        `<ChangeInfo><Id>/change/C1</Id><Status>${status}</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>`
      if (request.url!.includes('/change/')) return reply('GetChangeResponse', info('INSYNC'))
      const found = [...body.matchAll(/<Value>(?:&quot;|")(.*?)(?:&quot;|")<\/Value>/g)].map(
        ([, value]) => value!,
      )
      if (request.method === 'POST') {
        const [, action] = /<Action>(.*?)<\/Action>/.exec(body)!
        changes.push(`${action} ${found.length}`)
        values = action === 'UPSERT' ? found : []
        return reply('ChangeResourceRecordSetsResponse', info('PENDING'))
      }
      const entries = values.map(
        (value) => `<ResourceRecord><Value>&quot;${value}&quot;</Value></ResourceRecord>`,
      )
      const set = `<ResourceRecordSet><Name>_acme-challenge.example.com.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>${entries.join('')}</ResourceRecords></ResourceRecordSet>`
      return reply(
        'ListResourceRecordSetsResponse',
        `<ResourceRecordSets>${values.length > 0 ? set : ''}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>`,
      )
    })
    const port = await listenOnFreePort(server)
    ended.push(() => {
      server.close()
      server.closeAllConnections()
    })
    return { endpoint: `http://127.0.0.1:${port}`, changes }
  }

  test('keeps all values of a set, and takes the set away with the last', async () => {
    process.env.AWS_ACCESS_KEY_ID ??= 'test'
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test'
    const { endpoint, changes } = await startRoute53()
    const settings = { provider: 'route53' as const, hosted_zone_id: 'Z1', region: 'us-east-1', endpoint }
    const noAliases = { resolveCname: async () => [] }
    const solver = await openDnsSolver(settings, systemClock, noAliases)
    const [first, second] = await Promise.all([
      solver.present('example.com', 't', 'first'),
      solver.present('*.example.com', 't', 'second'),
    ])
    await first!()
    await second!()
    expect(changes).toEqual(['UPSERT 1', 'UPSERT 2', 'UPSERT 1', 'DELETE 1'])
  })
})
