import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect } from '@jest/globals'
import { acmeSchema } from '../../../../gateway-runtime/src/config/acme-settings.ts'
import { OrderedCertificates } from '../../../../gateway-runtime/src/control-plane/certificates/ordered-certificates.ts'
import { CertificateRepository } from '../../../../gateway-runtime/src/control-plane/certificates/store/certificate-repository.ts'
import { noSeal } from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import { FileEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/file-entries.ts'
import type { Challenges, ServerCertificate } from '../../../../gateway-runtime/src/worker-messages.ts'
import { movedClock } from '../../../support/moved-clock.ts'
import { startPebble } from '../../../support/pebble.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const { test } = await programForTests('pebble')
const newFolder = temporaryFolders()
const day = 86_400_000
const ended: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** A real authority, and what a gateway does for it in small: answers challenges, notes what is shown. */
async function start(before: readonly string[] = []) {
  let responses: Challenges['http'] = new Map()
  const server = createServer((request, response) => {
    const found = responses.get(request.url!.split('/').at(-1)!)
    response.writeHead(found === undefined ? 404 : 200).end(found)
  })
  const httpPort = await listenOnFreePort(server)
  ended.push(() => server.close())
  const pebble = await startPebble({ httpPort })
  ended.push(() => pebble.stop())
  const folder = join(await newFolder(), 'certificates')
  const lines: string[] = []
  const time = movedClock()
  const settings = acmeSchema.parse({
    authorities: [
      ...before.map((directory) => ({ directory })),
      { directory: pebble.directory, ca: pebble.ca },
    ],
    terms_of_service_agreed: true,
  })
  /** As after a start of the process. */
  const open = () => {
    const shown: (readonly ServerCertificate[])[] = []
    const certificates = new OrderedCertificates({
      repository: new CertificateRepository(new FileEntries(folder), noSeal, undefined),
      lookEvery: 5_000,
      clock: time.clock,
      random: () => 0,
      log: { write: (level, event, fields) => void lines.push(JSON.stringify([level, event, fields])) },
      users: {
        show: (all) => void shown.push(all),
        answerChallenges: async (all) => {
          responses = all.http
        },
      },
    })
    ended.push(() => certificates.close())
    return { certificates, shown, now: () => shown.at(-1)! }
  }
  return { pebble, folder, lines, settings, open, ...time, responses: () => responses }
}

const domains = ['a.example.com', 'b.example.com']

describe('ordered certificates', () => {
  test('are ordered once a domain, kept, and shown after a start without the authority', async () => {
    const { pebble, folder, settings, open, lines, responses } = await start()
    const first = open()
    await first.certificates.apply(settings, domains)
    await first.certificates.settled()
    expect(lines.filter((line) => line.startsWith('["error"'))).toEqual([])
    expect(
      first
        .now()
        .flatMap(({ hosts }) => hosts)
        .sort(),
    ).toEqual(domains)
    expect(pebble.orders()).toBe(2)
    expect(responses().size).toBe(0)
    for (const name of await readdir(folder))
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    await pebble.stop()
    const second = open()
    await second.certificates.open()
    expect(second.now()).toEqual(first.now()) // before it is known what is wanted, and so before workers listen
    await second.certificates.apply(settings, domains)
    expect(second.now()).toEqual(first.now())
  })

  test('that are damaged are put aside and ordered anew, and nothing else is touched', async () => {
    const { pebble, folder, settings, open, lines } = await start()
    const first = open()
    await first.certificates.apply(settings, domains)
    await first.certificates.settled()
    const file = (domain: string) => join(folder, `domain-${domain}.json`)
    const intact = await readFile(file('b.example.com'), 'utf8')
    await writeFile(file('a.example.com'), intact.replace('b.example.com', 'a.example.com')) // of another
    const second = open()
    await second.certificates.apply(settings, domains)
    await second.certificates.settled()
    expect(lines.filter((line) => line.includes('put aside'))).toHaveLength(1)
    const aside = (await readdir(folder)).filter((name) => name.startsWith('damaged-'))
    expect(aside).toEqual([expect.stringMatching(/^damaged-[0-9a-f]{8}-domain-a\.example\.com\.json$/)])
    expect(pebble.orders()).toBe(3)
    expect(await readFile(file('b.example.com'), 'utf8')).toBe(intact)
    expect(second.certificates.states.every(({ authority }) => authority === pebble.directory)).toBe(true)
  })

  test('are renewed within 90 days; while the authority is out they stay, and are renewed when it is back', async () => {
    const { pebble, settings, open, move, lines } = await start()
    const { certificates, now } = open()
    await certificates.apply(settings, ['a.example.com'])
    await certificates.settled()
    const [before] = now()
    move(89 * day)
    await certificates.settled()
    expect(pebble.orders()).toBe(1)
    const unreachable = {
      ...settings,
      authorities: [{ ...settings.authorities[0]!, directory: 'https://127.0.0.1:1/dir' }],
    }
    await certificates.apply(unreachable, ['a.example.com'])
    await certificates.settled() // at once: the authority of before is not among those that are set
    move(2 * day)
    await certificates.settled()
    expect(now()[0]).toEqual(before)
    expect(certificates.states[0]).toMatchObject({
      failures: 2,
      lastError: expect.stringMatching(/ECONNREFUSED/),
    })
    await certificates.apply(settings, ['a.example.com'])
    move(day)
    await certificates.settled()
    expect(certificates.states[0]).toMatchObject({ failures: 0, lastError: undefined })
    expect(pebble.orders()).toBe(2)
    expect(now()[0]!.certificate).not.toBe(before!.certificate)
    expect(now()[0]!.key).not.toBe(before!.key)
    expect(lines.join()).not.toMatch(/PRIVATE KEY/)
  })

  test('come from the next authority where one fails', async () => {
    const { pebble, settings, open } = await start(['https://127.0.0.1:1/dir'])
    const { certificates } = open()
    await certificates.apply(settings, ['a.example.com'])
    await certificates.settled()
    expect(certificates.states[0]).toMatchObject({ authority: pebble.directory, failures: 0 })
  })
})
