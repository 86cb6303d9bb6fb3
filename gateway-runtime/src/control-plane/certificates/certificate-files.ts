import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { checkIssued, type StoredCertificate, storedCertificateSchema } from './stored-certificate.ts'

/** The key that an account is known by, and its URL. */
const accountSchema = z.strictObject({ key: z.string(), url: z.string() })
export type StoredAccount = z.output<typeof accountSchema>

/** Where certificates, and the accounts that they were ordered with, are kept. */
export interface CertificateStorage {
  /** All certificates; what is damaged is put aside, reported, and not among them. */
  certificates(): Promise<StoredCertificate[]>
  putCertificate(certificate: StoredCertificate): Promise<void>
  /** The account at the authority with this directory. */
  account(directory: string): Promise<StoredAccount | undefined>
  putAccount(directory: string, account: StoredAccount): Promise<void>
}

/**
 * A folder (mode 0700) with a file (0600) for each certificate with its key, and for each account. A file is written
 * anew beside the old one and put in its place by a rename, so that after a crash there is one or the other, whole.
 */
export class CertificateFiles implements CertificateStorage {
  readonly #folder: string
  readonly #onDamaged: (file: string, reason: string) => void

  /**
   * @param onDamaged - told the new name of a file that was put aside, and why
   * Throws where the folder cannot be made.
   */
  constructor(folder: string, onDamaged: (file: string, reason: string) => void) {
    this.#folder = folder
    this.#onDamaged = onDamaged
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
  }

  async certificates(): Promise<StoredCertificate[]> {
    const names = (await readdir(this.#folder)).filter((name) => /^domain-.*\.json$/.test(name)).sort()
    const found = await Promise.all(names.map((name) => this.#read(name, parseCertificate)))
    return found.filter((certificate) => certificate !== undefined)
  }

  putCertificate(certificate: StoredCertificate): Promise<void> {
    return this.#write(`domain-${certificate.domain}.json`, certificate)
  }

  account(directory: string): Promise<StoredAccount | undefined> {
    return this.#read(accountFile(directory), (text) => accountSchema.parse(JSON.parse(text)))
  }

  putAccount(directory: string, account: StoredAccount): Promise<void> {
    return this.#write(accountFile(directory), account)
  }

  async #read<Content>(name: string, parse: (text: string) => Content): Promise<Content | undefined> {
    const path = join(this.#folder, name)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return undefined
    try {
      return parse(text)
    } catch {
      const aside = `${path}.damaged-${randomBytes(4).toString('hex')}`
      await rename(path, aside)
      // The message of a parser may quote what it found: a key.
      this.#onDamaged(aside, 'it does not hold what it should')
      return undefined
    }
  }

  async #write(name: string, content: object): Promise<void> {
    const path = join(this.#folder, name)
    const fresh = `${path}.${randomBytes(8).toString('hex')}.new`
    try {
      const file = await open(fresh, 'wx', 0o600)
      try {
        await file.writeFile(`${JSON.stringify(content)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(fresh, path)
      await syncFolder(this.#folder)
    } catch (error) {
      await rm(fresh, { force: true })
      throw error
    }
  }
}

function parseCertificate(text: string): StoredCertificate {
  const certificate = storedCertificateSchema.parse(JSON.parse(text))
  checkIssued(certificate)
  return certificate
}

const accountFile = (directory: string): string =>
  `account-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}.json`

/** A rename lasts over a power cut only when its folder is on the disk too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
