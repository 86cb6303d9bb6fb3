import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import {
  certificateStoreSchema,
  type KmsSettings,
} from '../../../../gateway-runtime/src/config/certificate-store-settings.ts'
import { CertificateRepository } from '../../../../gateway-runtime/src/control-plane/certificates/store/certificate-repository.ts'
import { UnknownKey } from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import { FileEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/file-entries.ts'
import { Kms } from '../../../../gateway-runtime/src/control-plane/certificates/store/kms.ts'
import { KmsSeal } from '../../../../gateway-runtime/src/control-plane/certificates/store/kms-seal.ts'
import { openSeal } from '../../../../gateway-runtime/src/control-plane/certificates/store/open-seal.ts'
import { eventually } from '../../../support/eventually.ts'
import { type Kms as KmsServer, startKms } from '../../../support/kms.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'

const newFolder = temporaryFolders()
let server: KmsServer
beforeEach(async () => {
  process.env.AWS_ACCESS_KEY_ID ??= 'test'
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test'
  server = await startKms()
})
afterEach(() => server.stop())

const settingsOf = (key: string, ...previous_keys: string[]): KmsSettings => ({
  key,
  previous_keys,
  endpoint: server.url,
})
const sealOf = (key: string, ...previous: string[]) => new KmsSeal(new Kms(settingsOf(key, ...previous)), 50)

async function sealed(seal: KmsSeal, text = 'secret'): Promise<string> {
  await seal.ready()
  return seal.close('domain-a', text)
}

async function opened(seal: KmsSeal, text: string): Promise<string> {
  await seal.unlock([text])
  return seal.open('domain-a', text)
}

test('what one process has sealed, another opens; each asks KMS once', async () => {
  const key = server.createKey()
  const [one, other] = [sealOf(key), sealOf(key)]
  const texts = [await sealed(one, 'first'), await sealed(one, 'second')]
  for (const text of texts) expect(['first', 'second']).toContain(await opened(other, text))
  expect(one.open('domain-a', texts[0]!)).toBe('first') // without a question
  expect(server.calls).toEqual(['GenerateDataKey', 'Decrypt'])
  expect(() => other.open('domain-b', texts[0]!)).toThrow()
})

test('a key that KMS has rotated opens what was sealed before', async () => {
  const key = server.createKey()
  const before = await sealed(sealOf(key))
  server.rotate(key)
  const after = await sealed(sealOf(key))
  const fresh = sealOf(key)
  expect([await opened(fresh, before), await opened(fresh, after)]).toEqual(['secret', 'secret'])
})

test('another key, of another region even, opens nothing unless it is among the previous ones', async () => {
  for (const region of ['eu-central-1', 'us-east-1']) {
    const [key, next] = [server.createKey(), server.createKey(region)]
    const text = await sealed(sealOf(key))
    await expect(opened(sealOf(next), text)).rejects.toThrow(UnknownKey)
    expect(await opened(sealOf(next, key), text)).toBe('secret')
  }
})

test('a text that was changed in any byte, or cut off, is not opened', async () => {
  const key = server.createKey()
  const seal = sealOf(key)
  const bytes = Buffer.from(await sealed(seal), 'base64')
  const fresh = sealOf(key)
  const afterArn = 3 + key.length // the name of the key is told to people; KMS knows it by itself
  for (let index = 0; index < bytes.length; index++) {
    const damaged = Buffer.from(bytes)
    damaged[index]! ^= 0x41
    if (index < 3 || index >= afterArn)
      await expect(opened(fresh, damaged.toString('base64'))).rejects.toThrow()
    const short = bytes.subarray(0, index).toString('base64')
    await expect(opened(fresh, short)).rejects.not.toThrow(UnknownKey)
  }
  expect(await opened(fresh, bytes.toString('base64'))).toBe('secret')
})

test('KMS that refuses is asked again, behind what goes on, until it answers', async () => {
  const key = server.createKey()
  const text = await sealed(sealOf(key))
  const seal = sealOf(key)
  server.mode = 'denies'
  await expect(opened(seal, text)).rejects.toThrow(
    /domain-a is encrypted by arn:aws:kms:.*: AWS KMS: not authorized/,
  )
  await expect(seal.ready()).rejects.toThrow('AWS KMS: not authorized')
  expect(seal.unlock([text])).toBeUndefined() // not asked anew at once
  server.mode = 'answers'
  await eventually('it is opened', () => {
    expect(seal.unlock([text])).toBeUndefined()
    try {
      return seal.open('domain-a', text) === 'secret'
    } catch {
      return false
    }
  })
  await seal.ready()
})

test('a damaged entry is put aside; one whose key KMS does not give is left as it is', async () => {
  const [folder, key] = [await newFolder(), server.createKey()]
  const open = (...keys: [string, ...string[]]) =>
    new CertificateRepository(new FileEntries(folder), sealOf(...keys), undefined)
  const first = open(key)
  const lease = (await first.acquire())!
  const account = { key: 'pem' }
  await first.write(lease, [['account-one', account]])
  const path = join(folder, 'account-one.json')
  const kept = await readFile(path, 'utf8')

  const locked = open(server.createKey())
  await locked.synchronize()
  expect(locked.lockedOut).toMatch(`account-one is encrypted by ${key}: AWS KMS: `)
  expect(await locked.mend(lease)).toEqual(new Map())

  const bytes = Buffer.from(kept, 'base64')
  bytes[bytes.length - 60]! ^= 1
  await writeFile(path, bytes.toString('base64'))
  const second = open(key)
  await second.synchronize()
  expect(second.lockedOut).toBeUndefined()
  expect([...(await second.mend(lease)).keys()]).toEqual(['account-one'])
  await lease.release()
})

test('a store comes to KMS from a key of its own, and leaves it again', async () => {
  const kms = settingsOf(server.createKey())
  const own = Buffer.alloc(32, 1).toString('base64')
  const sealWith = (settings: object) =>
    openSeal(certificateStoreSchema.parse({ kind: 'redis', ...settings }))
  const before = await sealWith({ encryption_key: own })
  const both = await sealWith({ encryption_key: own, kms })
  const after = await sealWith({ previous_encryption_keys: [own], kms })
  const texts: string[] = []
  for (const seal of [before, both, after]) {
    await seal.ready()
    texts.push(seal.close('domain-a', 'secret'))
  }
  for (const seal of [both, after]) {
    await seal.unlock(texts)
    expect(texts.map((text) => seal.open('domain-a', text))).toEqual(['secret', 'secret', 'secret'])
  }
  expect(before.open('domain-a', texts[1]!)).toBe('secret') // so that all nodes can read while some have not KMS yet
  expect(() => before.open('domain-a', texts[2]!)).toThrow(UnknownKey)
})
