import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { certificateStoreSchema } from '../../../../gateway-runtime/src/config/certificate-store-settings.ts'
import { postgresSchema } from '../../../../gateway-runtime/src/config/postgres-settings.ts'
import {
  AesGcmSeal,
  UnknownKey,
} from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-seal.ts'
import {
  type EntryStore,
  LeaseLost,
} from '../../../../gateway-runtime/src/control-plane/certificates/store/entry-store.ts'
import { FileEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/file-entries.ts'
import { PostgresEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/postgres-entries.ts'
import { SecretsManagerEntries } from '../../../../gateway-runtime/src/control-plane/certificates/store/secrets-manager-entries.ts'
import { startPostgres } from '../../../../scripts/process/postgres.ts'
import { listenOnFreePort } from '../../../support/ports.ts'
import { temporaryFolders } from '../../../support/temporary-folder.ts'
import { programForTests } from '../../../support/test-program.ts'

const postgres = await programForTests('pg_createcluster')
const newFolder = temporaryFolders()
const ended: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** What holds of every store: two of its clients see each other's entries, and one at a time writes. */
async function holdsAsAStore(one: EntryStore, other: EntryStore): Promise<void> {
  const lease = (await one.acquire())!
  expect(lease.isHeld).toBe(true)
  expect(await other.acquire()).toBeUndefined()
  const before = await other.changes(undefined)
  await one.write(
    new Map([
      ['domain-a', 'first'],
      ['progress-a', 'second'],
    ]),
    lease,
  )
  const { cursor, entries } = await other.changes(before.cursor)
  expect(Object.fromEntries(entries)).toMatchObject({ 'domain-a': 'first', 'progress-a': 'second' })
  await one.write(
    new Map([
      ['progress-a', undefined],
      ['domain-a', 'third'],
    ]),
    lease,
  )
  const later = await other.changes(cursor)
  expect(later.entries.get('domain-a')).toBe('third')
  expect(later.isComplete ? later.entries.has('progress-a') : later.entries.get('progress-a')).toBeFalsy()
  await lease.release()
  const next = (await other.acquire())!
  await expect(one.write(new Map([['domain-a', 'late']]), lease)).rejects.toThrow(LeaseLost)
  await next.release()
  expect((await one.changes(undefined)).entries.get('domain-a')).toBe('third')
}

test('files that are removed while others are read are no fault of the store', async () => {
  const store = new FileEntries(join(await newFolder(), 'certificates'))
  const lease = (await store.acquire())!
  const others = Array.from({ length: 50 }, (_, index) => [`domain-${index}`, 'x'] as const)
  await store.write(new Map(others), lease)
  let isOver = false
  const writing = (async () => {
    for (let turn = 0; turn < 300; turn++)
      await store.write(new Map([['progress-a', turn % 2 === 0 ? 'x' : undefined]]), lease)
    isOver = true
  })()
  while (!isOver) expect((await store.changes(undefined)).entries.size).toBeGreaterThanOrEqual(50)
  await writing
  await lease.release()
})

test('files are a store', async () => {
  const folder = await newFolder()
  await holdsAsAStore(new FileEntries(folder), new FileEntries(folder))
})

postgres.test('Postgres is a store', async () => {
  const server = await startPostgres()
  ended.push(() => server.stop())
  const settings = postgresSchema.parse({ url: server.url })
  const [one, other] = [new PostgresEntries(settings, 1_000), new PostgresEntries(settings, 1_000)]
  ended.push(
    () => one.close(),
    () => other.close(),
  )
  await holdsAsAStore(one, other)
})

interface Secret {
  readonly versions: Map<string, string>
  current: string
}

describe('Secrets Manager, beside another store', () => {
  /** Speaks its wire protocol (JSON 1.1) as far as the client of the SDK asks for it. */
  async function startSecretsManager() {
    const secrets = new Map<string, Secret>()
    const server = createServer(async (request, response) => {
      const asked = JSON.parse(await text(request)) as Record<string, string>
      const action = String(request.headers['x-amz-target']).split('.')[1]!
      const id = asked.SecretId ?? asked.Name ?? ''
      const secret = secrets.get(id)
      const reply = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
      if (action === 'ListSecrets')
        return reply(200, { SecretList: [...secrets.keys()].map((Name) => ({ Name })) })
      if (action === 'CreateSecret') {
        const version = asked.ClientRequestToken!
        secrets.set(id, { versions: new Map([[version, asked.SecretString!]]), current: version })
        return reply(200, { Name: id, VersionId: version })
      }
      if (!secret) return reply(400, { __type: 'ResourceNotFoundException', message: 'no such secret' })
      return reply(200, change(secret, action, asked))
    })
    const change = (secret: Secret, action: string, asked: Record<string, string>): object => {
      if (action === 'PutSecretValue') secret.versions.set(asked.ClientRequestToken!, asked.SecretString!)
      if (action === 'DescribeSecret') return { VersionIdsToStages: { [secret.current]: ['AWSCURRENT'] } }
      if (action === 'UpdateSecretVersionStage' && asked.RemoveFromVersionId === secret.current)
        secret.current = asked.MoveToVersionId!
      return { SecretString: secret.versions.get(asked.VersionId ?? secret.current) }
    }
    const port = await listenOnFreePort(server)
    ended.push(() => {
      server.close()
      server.closeAllConnections()
    })
    process.env.AWS_ACCESS_KEY_ID ??= 'test'
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test'
    const settings = certificateStoreSchema.parse({
      kind: 'secrets-manager',
      region: 'eu-central-1',
      endpoint: `http://127.0.0.1:${port}`,
      encryption_key: Buffer.alloc(32).toString('base64'),
    })
    return { settings, secrets }
  }

  test('is a store; what is no certificate or account is not in it', async () => {
    const { settings, secrets } = await startSecretsManager()
    const folder = await newFolder()
    const open = () => new SecretsManagerEntries(settings, new FileEntries(folder))
    await holdsAsAStore(open(), open())
    expect([...secrets.keys()]).toEqual(['gatehouse/certificates/domain-a'])
    const [{ current, versions }] = [...secrets.values()] as [
      { current: string; versions: Map<string, string> },
    ]
    expect(versions.get(current)).toBe('third')
  })

  test('has what the other store has lost', async () => {
    const { settings } = await startSecretsManager()
    const folder = await newFolder()
    const open = () => new SecretsManagerEntries(settings, new FileEntries(folder))
    await holdsAsAStore(open(), open())
    const fresh = new SecretsManagerEntries(settings, new FileEntries(await newFolder()))
    expect(Object.fromEntries((await fresh.changes(undefined)).entries)).toEqual({ 'domain-a': 'third' })
  })
})

describe('sealed entries', () => {
  const [key, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]

  test('are opened by their name and key only, and keys can be changed', () => {
    const sealed = new AesGcmSeal([key]).close('domain-a', 'secret')
    expect(sealed).not.toContain('secret')
    expect(new AesGcmSeal([other, key]).open('domain-a', sealed)).toBe('secret')
    expect(() => new AesGcmSeal([other]).open('domain-a', sealed)).toThrow(UnknownKey)
    expect(() => new AesGcmSeal([key]).open('domain-b', sealed)).toThrow()
  })

  test('that were changed in any byte are not opened', () => {
    const seal = new AesGcmSeal([key])
    const sealed = Buffer.from(seal.close('domain-a', randomUUID()), 'base64')
    for (let index = 0; index < sealed.length; index++) {
      const damaged = Buffer.from(sealed)
      damaged[index]! ^= 1
      expect(() => seal.open('domain-a', damaged.toString('base64'))).toThrow()
    }
  })
})
