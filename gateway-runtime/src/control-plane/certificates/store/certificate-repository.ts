import { hash } from 'node:crypto'
import { certificateHosts } from '../../../config/tls-files.ts'
import { type StoredCertificate, validityOf, wildcardOf } from '../stored-certificate.ts'
import { type EntrySeal, UnknownKey } from './entry-seal.ts'
import type { EntryChanges, EntryStore, Lease } from './entry-store.ts'
import type { LocalCopy } from './local-copy.ts'
import {
  entryName,
  isCertificate,
  isProgress,
  isRecord,
  type OrderProgress,
  parseRecord,
  type SharedChallenges,
  type StoredAccount,
  type StoredTicketKeys,
} from './records.ts'

// Ticket keys are on no disk: who takes the node over must not read what was recorded before.
const isKeptLocally = isCertificate

/** Name of an entry and what it is to hold; undefined removes it. */
export type RecordChange = readonly [name: string, value: object | undefined]

/** What this node knows of the store: as of the last `synchronize`, and of what it has written itself. */
export class CertificateRepository {
  readonly #store: EntryStore
  readonly #seal: EntrySeal
  readonly #copy: LocalCopy | undefined
  readonly #sealed = new Map<string, string>()
  readonly #records = new Map<string, unknown>()
  /** Entries that could not be read, as they stand in the store. */
  readonly #damaged = new Map<string, string>()
  /** Entries whose key this node does not have, as they stand in the store, with what is said of them. */
  readonly #locked = new Map<string, { readonly sealed: string; readonly reason: string }>()
  /** Certificates that the store has lost; this node has them. */
  readonly #lost = new Set<string>()
  #cursor: string | undefined
  /** Host → the newest certificate that was imported for it; undefined until it is asked for. */
  #imported: ReadonlyMap<string, StoredCertificate> | undefined

  /** @param copy - undefined where the store is on this node itself */
  constructor(store: EntryStore, seal: EntrySeal, copy: LocalCopy | undefined) {
    this.#store = store
    this.#seal = seal
    this.#copy = copy
  }

  /** The one that clients who ask for this domain are shown: ordered for it, or imported, whichever is newer. */
  certificate(domain: string): StoredCertificate | undefined {
    const ordered = this.#records.get(entryName.certificate(domain)) as StoredCertificate | undefined
    this.#imported ??= this.#importedByHost()
    const imported = this.#imported.get(domain)
    if (!ordered || !imported) return ordered ?? imported ?? this.#imported.get(wildcardOf(domain))
    return ordered.issuedAt > imported.issuedAt ? ordered : imported
  }

  /** The newest first: where two are for one host, that counts. */
  get certificates(): StoredCertificate[] {
    const all = [...this.#records].filter(([name]) => isCertificate(name))
    return all.map(([, record]) => record as StoredCertificate).sort((a, b) => b.issuedAt - a.issuedAt)
  }

  progress(domain: string): OrderProgress | undefined {
    return this.#records.get(entryName.progress(domain)) as OrderProgress | undefined
  }

  account(directory: string): StoredAccount | undefined {
    return this.#records.get(entryName.account(directory)) as StoredAccount | undefined
  }

  get challenges(): SharedChallenges {
    return (this.#records.get(entryName.challenges) as SharedChallenges | undefined) ?? { http: {}, tls: {} }
  }

  get ticketKeys(): StoredTicketKeys | undefined {
    return this.#records.get(entryName.ticketKeys) as StoredTicketKeys | undefined
  }

  /** Whether the store holds something under this name that cannot be read. */
  isDamaged(name: string): boolean {
    return this.#damaged.has(name)
  }

  /**
   * Why this node must not write, if so: the store has entries that it lacks the key for. It goes on with all others,
   * but would put its own in the place of what is well.
   */
  get lockedOut(): string | undefined {
    return this.#locked.values().next().value?.reason
  }

  /** Takes up what this node kept when it last ran, if it keeps anything. */
  async recall(): Promise<void> {
    const copy = (await this.#copy?.read()) ?? new Map<string, string>()
    await this.#seal.unlock(copy.values())
    for (const [name, sealed] of copy) this.#take(name, sealed)
    this.#damaged.clear() // what is damaged here is whole in the store
  }

  /** Takes up what was locked and is not any more; resolves with the names of it. Never rejected. */
  async retryLocked(): Promise<readonly string[]> {
    await this.#seal.unlock([...this.#locked.values()].map(({ sealed }) => sealed))
    return [...this.#locked].filter(([name, { sealed }]) => this.#take(name, sealed)).map(([name]) => name)
  }

  /** Takes up what has changed; resolves with the names of it. Rejected where the store is out of reach. */
  async synchronize(): Promise<readonly string[]> {
    const { cursor, isComplete, entries } = await this.#unlockedChanges()
    const changed = [...entries].filter(([name, sealed]) => this.#take(name, sealed)).map(([name]) => name)
    if (isComplete) changed.push(...this.#forgetAllBut(entries))
    this.#cursor = cursor
    if (changed.some(isKeptLocally)) await this.#keepCopy()
    return changed
  }

  acquire(): Promise<Lease | undefined> {
    return this.#store.acquire()
  }

  /**
   * Writes all of these or none.
   * @returns the cursor behind it
   * @throws LeaseLost
   */
  async write(lease: Lease, changes: readonly RecordChange[]): Promise<string> {
    await this.#seal.ready()
    const sealed = changes.map(
      ([name, value]) => [name, value && this.#seal.close(name, JSON.stringify(value))] as const,
    )
    const cursor = await this.#store.write(new Map(sealed), lease)
    for (const [name, text] of sealed) this.#take(name, text)
    if (changes.some(([name]) => isKeptLocally(name))) await this.#keepCopy()
    return cursor
  }

  takenUp(cursor: string): Promise<void> {
    return this.#store.takenUp(cursor)
  }

  /**
   * Puts entries that are damaged aside under other names, and brings back certificates that the store has lost.
   * @returns what was put aside: its name and the new one
   */
  async mend(lease: Lease): Promise<ReadonlyMap<string, string>> {
    const aside = new Map<string, string>()
    for (const [name, sealed] of [...this.#damaged]) {
      const other = `damaged-${hash('sha256', sealed).slice(0, 8)}-${name}`
      await this.#store.write(
        new Map([
          [other, sealed],
          [name, undefined],
        ]),
        lease,
      )
      this.#damaged.delete(name)
      if (!isKeptLocally(name)) this.#records.delete(name)
      if (name.startsWith('imported-') && this.#sealed.has(name)) this.#lost.add(name) // nobody issues it anew
      aside.set(name, other)
    }
    for (const name of [...this.#lost]) {
      await this.#store.write(new Map([[name, this.#sealed.get(name)!]]), lease)
      this.#lost.delete(name)
    }
    return aside
  }

  /**
   * Removes certificates that expired before this time, and orders that could have been tried again before it: of
   * domains that no node wants any more.
   */
  async prune(lease: Lease, before: number): Promise<void> {
    const isUnused = (name: string, record: unknown) =>
      isCertificate(name)
        ? validityOf((record as StoredCertificate).certificate).notAfter < before
        : isProgress(name) && (record as OrderProgress).nextAt < before
    const unused = [...this.#records].filter((entry) => isUnused(...entry))
    if (unused.length > 0)
      await this.write(
        lease,
        unused.map(([name]) => [name, undefined]),
      )
  }

  async close(): Promise<void> {
    await this.#store.close()
  }

  /** This node may have written while it waited for a key: what was there before must not take the place of that. */
  async #unlockedChanges(): Promise<EntryChanges> {
    for (;;) {
      const changes = await this.#store.changes(this.#cursor)
      const texts = [...changes.entries].filter(([name, text]) => text !== undefined && isRecord(name))
      const unlocked = this.#seal.unlock(texts.map(([, text]) => text!))
      if (!unlocked) return changes
      await unlocked
    }
  }

  #importedByHost(): ReadonlyMap<string, StoredCertificate> {
    const oldestFirst = this.certificates.filter(({ authority }) => authority === 'imported').reverse()
    return new Map(
      oldestFirst.flatMap((one) => certificateHosts(one.certificate).map((host) => [host, one] as const)),
    )
  }

  /** @returns whether something has changed */
  #take(name: string, sealed: string | undefined): boolean {
    if (!isRecord(name)) return false
    if (isCertificate(name)) this.#imported = undefined
    this.#lost.delete(name)
    this.#locked.delete(name)
    if (sealed === undefined) {
      this.#sealed.delete(name)
      return this.#damaged.delete(name) || this.#records.delete(name)
    }
    if (this.#sealed.get(name) === sealed && !this.#damaged.has(name)) return false
    try {
      this.#records.set(name, parseRecord(name, this.#seal.open(name, sealed)))
      this.#sealed.set(name, sealed)
      this.#damaged.delete(name)
    } catch (error) {
      // What this node knew of it stays in use meanwhile.
      if (error instanceof UnknownKey) {
        this.#locked.set(name, { sealed, reason: error.message })
        return false
      }
      this.#damaged.set(name, sealed)
    }
    return true
  }

  /** A store that has no certificate any more has lost it: one that is not wanted is removed by name. */
  #forgetAllBut(entries: ReadonlyMap<string, unknown>): string[] {
    const gone = [...this.#records.keys()].filter((name) => !entries.has(name))
    for (const name of gone) {
      if (isKeptLocally(name)) this.#lost.add(name)
      else this.#records.delete(name)
      if (!isKeptLocally(name)) this.#sealed.delete(name)
    }
    for (const unread of [this.#damaged, this.#locked])
      for (const name of unread.keys()) if (!entries.has(name)) unread.delete(name)
    return gone
  }

  async #keepCopy(): Promise<void> {
    const locked = [...this.#locked].map(([name, { sealed }]) => [name, sealed] as const)
    await this.#copy?.write(new Map([...this.#sealed, ...locked].filter(([name]) => isKeptLocally(name))))
  }
}
