import { randomUUID } from 'node:crypto'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  RestoreSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import type { CertificateStoreSettings } from '../../../config/certificate-store-settings.ts'
import type { EntryChanges, EntryStore, Lease } from './entry-store.ts'
import { isCertificate } from './records.ts'

const pointer = 'secret-'
const isSecret = (name: string) => isCertificate(name) || name.startsWith('account-')
const current = 'AWSCURRENT'

/**
 * Certificates and accounts in AWS Secrets Manager, a secret each; all else, and the lease, in another store. That store
 * also says which version of a secret counts: so a version that a node writes without the lease is never taken, and
 * nodes ask AWS only for what has changed. Where the other store has lost everything, the current versions count.
 */
export class SecretsManagerEntries implements EntryStore {
  readonly #client: SecretsManagerClient
  readonly #prefix: string
  readonly #other: EntryStore

  constructor({ region, endpoint, prefix }: CertificateStoreSettings, other: EntryStore) {
    this.#client = new SecretsManagerClient({
      maxAttempts: 5,
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
    })
    this.#prefix = prefix
    this.#other = other
  }

  async changes(since: string | undefined): Promise<EntryChanges> {
    const { entries: changed, ...rest } = await this.#other.changes(since)
    const entries = new Map<string, string | undefined>()
    const versions = new Map<string, string | undefined>()
    for (const [name, text] of changed) {
      if (!name.startsWith(pointer)) entries.set(name, text)
      else if (text === undefined) entries.set(name.slice(pointer.length), undefined)
      else versions.set(name.slice(pointer.length), text)
    }
    if (rest.isComplete)
      for (const name of await this.#names()) if (!versions.has(name)) versions.set(name, undefined)
    for (const [name, version] of versions) entries.set(name, await this.#read(name, version))
    return { ...rest, entries }
  }

  acquire(): Promise<Lease | undefined> {
    return this.#other.acquire()
  }

  async write(entries: ReadonlyMap<string, string | undefined>, lease: Lease): Promise<string> {
    const others = new Map<string, string | undefined>()
    const versions = new Map<string, string | undefined>()
    for (const [name, text] of entries) {
      if (!isSecret(name)) others.set(name, text)
      else versions.set(name, text === undefined ? undefined : await this.#put(name, text))
    }
    for (const [name, version] of versions) others.set(pointer + name, version)
    const cursor = await this.#other.write(others, lease)
    for (const [name, version] of versions) await this.#settle(name, version)
    return cursor
  }

  takenUp(cursor: string): Promise<void> {
    return this.#other.takenUp(cursor)
  }

  async close(): Promise<void> {
    this.#client.destroy()
    await this.#other.close()
  }

  /** A new version beside the current one. */
  async #put(name: string, text: string): Promise<string> {
    const SecretId = this.#idOf(name)
    const version = randomUUID()
    const put = () =>
      this.#client.send(
        new PutSecretValueCommand({
          SecretId,
          SecretString: text,
          ClientRequestToken: version,
          VersionStages: ['gatehouse-next'],
        }),
      )
    await put().catch(async (error) => {
      if (error instanceof ResourceNotFoundException) {
        const fresh = { Name: SecretId, SecretString: text, ClientRequestToken: version }
        return this.#client.send(new CreateSecretCommand(fresh))
      }
      if ((error as Error).name !== 'InvalidRequestException') throw error
      await this.#client.send(new RestoreSecretCommand({ SecretId })) // it was to be deleted
      return put()
    })
    return version
  }

  /** Makes a version the current one, or has the secret deleted in a week. */
  async #settle(name: string, version: string | undefined): Promise<void> {
    const SecretId = this.#idOf(name)
    if (version === undefined) {
      await this.#client
        .send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }))
        .catch(passOverMissing)
      return
    }
    const { VersionIdsToStages = {} } = await this.#client.send(new DescribeSecretCommand({ SecretId }))
    const before = Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes(current))?.[0]
    if (before === version) return
    await this.#client.send(
      new UpdateSecretVersionStageCommand({
        SecretId,
        VersionStage: current,
        MoveToVersionId: version,
        ...(before !== undefined && { RemoveFromVersionId: before }),
      }),
    )
  }

  async #read(name: string, VersionId: string | undefined): Promise<string | undefined> {
    const SecretId = this.#idOf(name)
    const found = await this.#client
      .send(new GetSecretValueCommand({ SecretId, ...(VersionId !== undefined && { VersionId }) }))
      .catch(passOverMissing)
    return found?.SecretString
  }

  async #names(): Promise<string[]> {
    const names: string[] = []
    let NextToken: string | undefined
    do {
      const Filters = [{ Key: 'name' as const, Values: [`${this.#prefix}/`] }]
      const page = await this.#client.send(
        new ListSecretsCommand({ Filters, ...(NextToken && { NextToken }) }),
      )
      for (const { Name = '' } of page.SecretList ?? [])
        if (Name.startsWith(`${this.#prefix}/`)) names.push(Name.slice(this.#prefix.length + 1))
      NextToken = page.NextToken
    } while (NextToken)
    return names.filter(isSecret)
  }

  #idOf(name: string): string {
    return `${this.#prefix}/${name}`
  }
}

function passOverMissing(error: unknown): undefined {
  if (!(error instanceof ResourceNotFoundException)) throw error
}
