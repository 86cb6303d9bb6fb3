import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { afterEach, describe, expect, test as plainTest } from '@jest/globals'
import fc from 'fast-check'
import { certificateId } from '../../../../gateway-runtime/src/control-plane/certificates/acme/renewal-info.ts'
import { CertificateAdministration } from '../../../../gateway-runtime/src/control-plane/certificates/certificate-administration.ts'
import type { Clock } from '../../../../gateway-runtime/src/control-plane/certificates/clock.ts'
import { checkImport } from '../../../../gateway-runtime/src/control-plane/certificates/import-checks.ts'
import {
  backoff,
  renewalTime,
  suggestedTime,
} from '../../../../gateway-runtime/src/control-plane/certificates/renewal-time.ts'
import type { Challenges } from '../../../../gateway-runtime/src/worker-messages.ts'
import { startAcmeGate } from '../../../support/acme-gate.ts'
import { newAuthority, type Unusual, unusualChain } from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'
import { startGateway } from '../../../support/gateway.ts'
import { movedClock } from '../../../support/moved-clock.ts'
import { startSingleNode } from '../../../support/one-certificate.ts'
import { type PebbleOptions, startPebble } from '../../../support/pebble.ts'
import { freePorts, listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const { test } = await programForTests('pebble')
const newFolder = temporaryFolders()
const day = 86_400_000
const ended: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** An authority, and a server that answers its challenges. */
async function start(options: PebbleOptions = {}, clock?: Clock) {
  let challenges: Challenges['http'] = new Map()
  const server = createHttpServer((request, response) => {
    response.end(challenges.get(request.url!.split('/').at(-1)!))
  })
  const httpPort = await listenOnFreePort(server)
  ended.push(() => server.close())
  const pebble = await startPebble({ httpPort, ...options })
  ended.push(() => pebble.stop())
  const folder = await newFolder()
  const open = (authority: object) => {
    const onChallenges = (all: Challenges) => {
      challenges = all.http
    }
    const settings = { authorities: [{ directory: pebble.directory, ca: pebble.ca, ...authority }] }
    const node = startSingleNode(folder, settings, { onChallenges, ...(clock && { clock }) })
    ended.push(() => node.certificates.close())
    return node
  }
  return { pebble, open }
}

test('an account is bound to one that the authority knows (EAB), and refused without', async () => {
  const key = randomBytes(32).toString('base64url')
  const { open } = await start({ externalAccount: ['kid-1', key] })
  const without = open({})
  expect(await without.order(['a.example.com'])).toEqual([expect.stringMatching(/externalAccountBinding/)])
  await without.certificates.close()
  const bound = open({ external_account_binding: { key_id: 'kid-1', hmac_key: key } })
  bound.certificates.renew(['a.example.com'])
  await bound.certificates.apply(bound.acme, ['a.example.com'])
  bound.certificates.renew(['a.example.com'])
  await bound.certificates.settled()
  expect(bound.certificates.states[0]).toMatchObject({ lastError: undefined, failures: 0 })
})

test('orders that go on side by side are of one account', async () => {
  const { open, pebble } = await start()
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}.example.com`)
  expect(await open({}).order(names)).toEqual(names.map(() => undefined))
  expect(pebble.accounts()).toBe(1)
})

test('an account gets another key, and goes on with it', async () => {
  const { open, pebble } = await start()
  const node = open({})
  expect(await node.order(['a.example.com'])).toEqual([undefined])
  const before = node.repository.account(pebble.directory)!
  await new CertificateAdministration(node.certificates, node.repository).rollOverKey(pebble.directory)
  const after = node.repository.account(pebble.directory)!
  expect(after.url).toBe(before.url)
  expect(after.key).not.toBe(before.key)
  expect(after.nextKey).toBeUndefined()
  expect(await node.order(['a.example.com', 'b.example.com'])).toEqual([undefined, undefined])
})

test('a profile is asked for, and a certificate is renewed when its authority suggests it', async () => {
  const { clock, move } = movedClock()
  const { open, pebble } = await start({}, clock)
  const gate = await startAcmeGate(pebble)
  ended.push(() => gate.stop())
  const issuedAt = clock.now()
  const asked: string[] = []
  gate.suggest((certificate) => {
    if (!asked.includes(certificate)) asked.push(certificate)
    const start = issuedAt + asked.indexOf(certificate) * 20 * day // at once, then 20 days after
    return { start, end: start + day }
  })
  const node = open({ directory: gate.directory, profile: 'shortlived' })
  expect(await node.order(['a.example.com'])).toEqual([undefined])
  const first = node.repository.certificate('a.example.com')!
  expect(asked).toEqual([certificateId(first.certificate)])
  expect(gate.requested).toEqual([expect.objectContaining({ profile: 'shortlived' })])
  expect(gate.requested[0]!.replaces).toBeUndefined()
  expect(node.certificates.states[0]!.dueAt).toBe(first.issuedAt + 3_600_000) // no sooner, whatever it says

  move(2 * 3_600_000)
  await node.certificates.settled()
  expect(gate.requested.slice(1)).toEqual([
    expect.objectContaining({ profile: 'shortlived', replaces: certificateId(first.certificate) }),
  ])
  const second = node.repository.certificate('a.example.com')!
  expect(second.certificate).not.toBe(first.certificate)
  expect(node.certificates.states[0]!.dueAt).toBe(issuedAt + 20 * day)
  move(day)
  await node.certificates.settled()
  expect(gate.requested).toHaveLength(2)
})

test('tls-alpn-01 is answered on the https port, with and without a certificate there', async () => {
  const [http, https] = (await freePorts(2)) as [number, number]
  const pebble = await startPebble({ httpPort: 1, tlsPort: https })
  ended.push(() => pebble.stop())
  const gateway = await startGateway({
    config: {
      listeners: [
        { host: '127.0.0.1', port: http },
        { host: '127.0.0.1', port: https, protocol: 'https', unknown_sni: 'refuse' },
      ],
      acme: {
        authorities: [{ directory: pebble.directory, ca: pebble.ca }],
        terms_of_service_agreed: true,
        preflight: false,
        challenge: 'tls-alpn-01',
        domains: ['alpn.example.com'],
      },
    },
  })
  ended.push(() => gateway.stop())
  const isReady = async () => (await (await fetch(`${gateway.statusUrl}/readyz`)).text()) === 'ready\n'
  await eventually('the certificate', isReady, 20_000).catch(async (error) => {
    throw new Error(`${error.message}\n${await gateway.errorLog()}`)
  })
  const renewed = await gateway.cli('certificates', 'renew')
  expect(renewed).toMatchObject({ code: 0, stdout: expect.stringMatching(/alpn\.example\.com .* good/) })
  expect(pebble.orders()).toBe(2)
})

describe('when to renew', () => {
  const lifetime = fc.integer({ min: 3_600_000, max: 398 * day })
  const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  plainTest(
    'a third of the lifetime is left, within 90 days, and nine tenths of the time have passed',
    () => {
      fc.assert(
        fc.property(lifetime, jitter, (length, chance) => {
          const at = renewalTime({ notBefore: 0, notAfter: length }, 0, chance)
          expect(length - at).toBeGreaterThanOrEqual(length / 3 - 1)
          expect(at).toBeLessThanOrEqual(90 * day)
          expect(at).toBeGreaterThanOrEqual(Math.min((length * 2) / 3, 90 * day) * 0.9 - 1)
        }),
      )
    },
  )

  plainTest('it is never at once, whatever the clock of the node says', () => {
    const issue = fc.integer({ min: -1_000 * day, max: 1_000 * day })
    fc.assert(
      fc.property(lifetime, issue, jitter, (length, issuedAt, chance) => {
        const at = renewalTime({ notBefore: 0, notAfter: length }, issuedAt, chance)
        expect(at - issuedAt).toBeGreaterThanOrEqual(Math.min(3_600_000, length / 2))
      }),
    )
  })

  plainTest('what an authority suggests is kept to, but not past 90 days or the end', () => {
    const time = fc.integer({ min: 0, max: 400 * day })
    fc.assert(
      fc.property(lifetime, time, time, jitter, (length, start, end, chance) => {
        const at = suggestedTime({ start, end }, { notBefore: 0, notAfter: length }, 0, chance)
        expect(at).toBeLessThanOrEqual(Math.min(90 * day, length, Math.max(start, end, 3_600_000)))
        expect(at).toBeGreaterThanOrEqual(Math.min(start, 90 * day, length))
      }),
    )
  })

  plainTest('attempts come ever later up to six hours, and never before an authority has allowed', () => {
    const wait = fc.option(fc.integer({ min: 0, max: 7 * day }), { nil: undefined })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), wait, jitter, (failures, retryAfter, chance) => {
        const delay = backoff(failures, retryAfter, chance)
        expect(delay).toBeGreaterThanOrEqual(Math.max(30_000, retryAfter ?? 0))
        expect(delay).toBeLessThanOrEqual(Math.max(6 * 3_600_000, retryAfter ?? 0))
      }),
    )
  })

  plainTest('a certificate is called by the key of its issuer and its number (RFC 9773 appendix A)', () => {
    expect(certificateId(exampleOfRfc9773)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE')
  })
})

describe('what is imported', () => {
  plainTest('is a chain with its key, valid now, with names', async () => {
    const authority = await newAuthority()
    const { certificate, key } = await authority.issue({ dns: ['a.example.com'] })
    const other = await authority.issue({ dns: ['b.example.com'] })
    const now = Date.now()
    expect(checkImport(certificate + authority.certificate, key, now).hosts).toEqual(['a.example.com'])
    expect(checkImport(certificate, key, now).warnings.join()).toMatch(/no intermediate certificate/)
    const wrong: readonly (readonly [string, string, number, RegExp])[] = [
      [certificate, other.key, now, /not that of the first certificate/],
      [certificate + other.certificate, key, now, /did not issue/],
      [certificate, key, now + 400 * 365 * day, /has expired/],
      [certificate, key, now - 365 * day, /valid only from/],
      ['nonsense', key, now, /cannot be read/],
      [certificate, 'nonsense', now, /private key cannot be read/],
    ]
    for (const [chain, secret, time, reason] of wrong)
      expect(() => checkImport(chain, secret, time)).toThrow(reason)
  })

  plainTest.each<readonly [string, Unusual, RegExp]>([
    ['an RSA key of 1024 bits', { key: ['rsa', { modulusLength: 1_024 }] }, /RSA key of 1024 bits; 2048 are/],
    [
      'a curve that clients do not take',
      { key: ['ec', { namedCurve: 'secp256k1' }] },
      /on the curve secp256k1/,
    ],
    ['a curve that is too weak', { key: ['ec', { namedCurve: 'prime192v1' }] }, /on the curve prime192v1/],
    ['a signature by SHA-1', { hash: 'SHA-1' }, /is signed with .*sha1.*, which is broken/i],
    ['clients alone in view', { purposes: ['1.3.6.1.5.5.7.3.2'] }, /not for servers/],
    ['an issuer that is no authority', { isAuthority: false }, /certificate 2 .* is no CA/],
    ['no name', { names: [] }, /has no DNS name/],
  ])('is not with %s', async (_what, unusual, reason) => {
    const { chain, key } = await unusualChain(unusual)
    expect(() => checkImport(chain, key, Date.now())).toThrow(reason)
  })

  plainTest('is warned of where it demands stapling; keys that are usual are taken', async () => {
    const stapled = await unusualChain({ mustStaple: true })
    expect(checkImport(stapled.chain, stapled.key, Date.now()).warnings.join()).toMatch(/OCSP stapling/)
    for (const key of [
      ['rsa', { modulusLength: 2_048 }],
      ['ec', { namedCurve: 'secp384r1' }],
      ['ec', { namedCurve: 'secp521r1' }],
    ] as const) {
      const usual = await unusualChain({ key })
      expect(checkImport(usual.chain, usual.key, Date.now()).hosts).toEqual(['a.example.com'])
    }
  })
})

/** Appendix A of RFC 9773. */
const exampleOfRfc9773 = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----`
