import { hash } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from './atomic-file.ts'
import { type EntryChanges, type EntryStore, type Lease, LeaseLost } from './entry-store.ts'
import { acquireFileLease } from './file-lease.ts'

const ending = '.json'

/** The entries of one node: a folder (mode 0700) with a file (0600) for each. */
export class FileEntries implements EntryStore {
  readonly #folder: string

  /** Throws where the folder cannot be made. */
  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
  }

  async changes(since: string | undefined): Promise<EntryChanges> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith(ending)).sort()
    const cursor = await this.#fingerprint(names)
    if (cursor === since) return { cursor, isComplete: false, entries: new Map() }
    const entries = new Map<string, string>()
    for (const name of names) {
      const text = await ifThere(readFile(join(this.#folder, name), 'utf8'))
      if (text !== undefined) entries.set(name.slice(0, -ending.length), text)
    }
    return { cursor, isComplete: true, entries }
  }

  async acquire(): Promise<Lease | undefined> {
    return acquireFileLease(join(this.#folder, 'lease.lock'))
  }

  /** A crash between two files leaves the first: the order of the map says which. */
  async write(entries: ReadonlyMap<string, string | undefined>, lease: Lease): Promise<string> {
    for (const [name, text] of entries) {
      if (!lease.isHeld) throw new LeaseLost()
      const path = join(this.#folder, `${name}${ending}`)
      if (text === undefined) await rm(path, { force: true })
      else await writeFileAtomically(path, text)
    }
    return ''
  }

  async takenUp(): Promise<void> {}

  async close(): Promise<void> {}

  async #fingerprint(names: readonly string[]): Promise<string> {
    const states = await Promise.all(
      names.map((name) => ifThere(stat(join(this.#folder, name), { bigint: true }))),
    )
    const facts = states.map((state, index) => [
      names[index],
      state && `${state.ino} ${state.size} ${state.mtimeNs}`,
    ])
    return hash('sha256', JSON.stringify(facts))
  }
}

/** Undefined where the file has gone since its name was read: entries are removed meanwhile. */
const ifThere = <Found>(found: Promise<Found>): Promise<Found | undefined> =>
  found.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
