import { chmodSync, mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomically } from './atomic-file.ts'

const copySchema = z.record(z.string(), z.string())

/**
 * What a node keeps of a shared store, as encrypted as it is there, to start with while the store is out of reach: one
 * file (0600) in a folder (0700).
 */
export class LocalCopy {
  readonly #path: string

  /** Throws where the folder cannot be made. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.#path = join(folder, 'certificates.json')
  }

  /** Sealed texts by the names of their entries; none where there is no copy or it is damaged. */
  async read(): Promise<ReadonlyMap<string, string>> {
    try {
      return new Map(Object.entries(copySchema.parse(JSON.parse(await readFile(this.#path, 'utf8')))))
    } catch {
      return new Map()
    }
  }

  write(entries: ReadonlyMap<string, string>): Promise<void> {
    return writeFileAtomically(this.#path, JSON.stringify(Object.fromEntries(entries)))
  }
}
