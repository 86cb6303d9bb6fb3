import { afterEach, expect, test } from '@jest/globals'
import { OrderedCertificates } from '../../../../gateway-runtime/src/control-plane/certificates/ordered-certificates.ts'
import { CertificateRepository } from '../../../../gateway-runtime/src/control-plane/certificates/store/certificate-repository.ts'
import { AesGcmSeal } from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import { FileEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/file-entries.ts'
import { TicketKeySchedule } from '../../../../gateway-runtime/src/control-plane/certificates/ticket-key-schedule.ts'
import { SessionTicketKeys } from '../../../../gateway-runtime/src/control-plane/session-ticket-keys.ts'
import { eventually } from '../../../support/eventually.ts'
import { movedClock } from '../../../support/moved-clock.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})
const newFolder = temporaryFolders()
const hour = 3_600_000
const interval = 12 * hour

test('session ticket keys are the same on all nodes of a store, and all have others after their time', async () => {
  const folder = await newFolder()
  const { clock, move } = movedClock()
  const used: string[][] = []
  const start = async () => {
    const keys: string[] = []
    used.push(keys)
    const use = (fresh: Uint8Array) => void keys.push(Buffer.from(fresh).toString('hex'))
    const node = new OrderedCertificates({
      repository: new CertificateRepository(
        new FileEntries(folder),
        new AesGcmSeal([Buffer.alloc(32)]),
        undefined,
      ),
      clock,
      log: { write: () => {} },
      lookEvery: 50,
      random: () => 0,
      users: { show: () => {}, answerChallenges: async () => {} },
      ticketKeys: new TicketKeySchedule(clock, () => interval, use),
    })
    ended.push(() => node.close())
    await node.apply(undefined, [])
    return node
  }
  const nodes = [await start(), await start(), await start()]
  const settled = () => Promise.all(nodes.map((node) => node.settled()))
  const haveSet = (count: number) =>
    eventually(`${count} sets of keys everywhere`, () => used.every((keys) => keys.length === count))

  await haveSet(1)
  expect(new Set(used.flat()).size).toBe(1)
  move(interval - hour)
  await settled()
  for (const keys of used) expect(keys).toHaveLength(1)
  for (const sets of [2, 3]) {
    move(sets === 2 ? hour : interval)
    await haveSet(sets)
    await settled()
    expect(new Set(used.map((keys) => keys.join())).size).toBe(1) // the same, in the same order
    expect(new Set(used[0]).size).toBe(sets) // none comes again
  }
  for (const key of used[0]!) expect(key).toMatch(/^[0-9a-f]{96}$/)
})

test('a node whose store brings no other keys makes its own after twice their time', async () => {
  const used: string[] = []
  const keys = new SessionTicketKeys((fresh) => void used.push(Buffer.from(fresh).toString('hex')))
  ended.push(async () => keys.close())
  const shared = Buffer.alloc(48, 1)
  keys.rotateEvery(50)
  keys.useShared(shared)
  const begin = performance.now()
  expect(used.at(-1)).toBe(shared.toString('hex'))
  await eventually('keys of its own', () => used.at(-1) !== shared.toString('hex'))
  expect(performance.now() - begin).toBeGreaterThan(90)
  keys.useShared(shared)
  expect(used.at(-1)).toBe(shared.toString('hex')) // the store is back
})
