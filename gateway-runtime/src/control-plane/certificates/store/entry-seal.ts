import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
} from 'node:crypto'

/** How the text of an entry is kept. */
export interface EntrySeal {
  /** Gets hold of the key that `close` needs. Rejected where it cannot be had now. */
  ready(): Promise<void>
  /** To be called when `ready` has resolved. */
  close(name: string, text: string): string
  /** Gets hold of keys that `open` needs for these, as far as they can be had; undefined where nothing is to be awaited. */
  unlock(sealed: Iterable<string>): Promise<void> | undefined
  /**
   * @throws UnknownKey where it was closed with another key; any other error: it is damaged, or not of this name
   */
  open(name: string, sealed: string): string
}

/** The entry may be well: this node has not the key for it. */
export class UnknownKey extends Error {
  override readonly name = 'UnknownKey'
}

/** For a disk that only the gateway reads. */
export const noSeal: EntrySeal = {
  ready: async () => {},
  close: (_name, text) => text,
  unlock: () => undefined,
  open: (_name, text) => text,
}

/** What a sealed text begins with, by what made it. */
export const sealVersion = { aesGcm: 1, kms: 2 } as const

/** Its first byte; undefined where there is none. */
export const versionOf = (sealed: string): number | undefined => Buffer.from(sealed.slice(0, 4), 'base64')[0]

const algorithm = 'aes-256-gcm'
const version = sealVersion.aesGcm
const idLength = 8
const nonceLength = 12
const tagLength = 16

/**
 * AES-256-GCM with a nonce of its own for each text. The name goes into the tag, so that one entry cannot be put in the
 * place of another; the id of the key stands in front, so that a wrong key is told from damage.
 */
export class AesGcmSeal implements EntrySeal {
  readonly #keys: readonly { readonly id: Buffer; readonly key: KeyObject }[]

  /** @param keys - 32 bytes each: the first closes, all open */
  constructor(keys: readonly Buffer[]) {
    this.#keys = keys.map((bytes) => ({
      id: hash('sha256', Buffer.concat([Buffer.from('gatehouse key id'), bytes]), 'buffer').subarray(
        0,
        idLength,
      ),
      key: createSecretKey(bytes),
    }))
  }

  async ready(): Promise<void> {}

  unlock(): undefined {}

  close(name: string, text: string): string {
    const { id, key } = this.#keys[0]!
    const nonce = randomBytes(nonceLength)
    const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(name))
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([Buffer.from([version]), id, nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  open(name: string, sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64')
    if (bytes[0] === sealVersion.kms)
      throw new UnknownKey(`${name} was encrypted by AWS KMS, which is not set`)
    const parts = [1, idLength, nonceLength, tagLength]
    if (bytes.length < parts.reduce((sum, length) => sum + length) || bytes[0] !== version)
      throw new Error('it is not a sealed entry')
    const ends = parts.map((_, index) => parts.slice(0, index + 1).reduce((sum, length) => sum + length))
    const [, id, nonce, tag] = ends.map((end, index) => bytes.subarray(end - parts[index]!, end))
    const known = this.#keys.find((one) => one.id.equals(id!))
    if (!known) throw new UnknownKey(`${name} was encrypted with a key that this node does not have`)
    const cipher = createDecipheriv(algorithm, known.key, nonce!, { authTagLength: tagLength })
    cipher.setAAD(Buffer.from(name)).setAuthTag(tag!)
    return Buffer.concat([cipher.update(bytes.subarray(ends.at(-1))), cipher.final()]).toString('utf8')
  }
}
