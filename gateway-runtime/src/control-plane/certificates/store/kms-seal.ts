import { AesGcmSeal, type EntrySeal, sealVersion, UnknownKey, versionOf } from './entry-seal.ts'
import { DamagedDataKey, type Kms, type WrappedKey } from './kms.ts'

/** What a data key opens; or why it cannot be had, and when to ask for it again (`performance.now`). */
type DataKey = { readonly seal: AesGcmSeal } | { readonly failure: Error; readonly askAgainAt: number }

/** A text as it is kept. */
interface Envelope extends WrappedKey {
  /** Tells data keys apart. */
  readonly id: string
  /** As the data key has sealed it. */
  readonly body: string
}

/** More than there are in use: each process that writes makes one. */
const mostKeys = 1_000

/**
 * Envelope encryption: each text stands behind the data key that it is encrypted with, which KMS alone opens. A process
 * makes one for all that it writes, and asks once for each of the others. What is open stays so without KMS; what is
 * not is asked for again until it is.
 */
export class KmsSeal implements EntrySeal {
  readonly #kms: Pick<Kms, 'generate' | 'open'>
  readonly #retryAfter: number
  readonly #known = new Map<string, DataKey>()
  readonly #asked = new Map<string, Promise<void>>()
  #making: Promise<void> | undefined
  #own: { readonly head: Buffer; readonly seal: AesGcmSeal } | undefined

  /** @param retryAfter - milliseconds until KMS is asked again for a data key that it did not give */
  constructor(kms: Pick<Kms, 'generate' | 'open'>, retryAfter = 5_000) {
    this.#kms = kms
    this.#retryAfter = retryAfter
  }

  async ready(): Promise<void> {
    if (this.#own) return
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    await this.#making
  }

  close(name: string, text: string): string {
    const { head, seal } = this.#own!
    return Buffer.concat([head, Buffer.from(seal.close(name, text), 'base64')]).toString('base64')
  }

  /** Waits for data keys that were never asked for; those that could not be had are asked for again behind it. */
  unlock(sealed: Iterable<string>): Promise<void> | undefined {
    const awaited: Promise<void>[] = []
    for (const text of sealed) {
      const envelope = parseEnvelope(text)
      if (!envelope) continue
      const known = this.#known.get(envelope.id)
      if (known && ('seal' in known || known.askAgainAt > performance.now())) continue
      const asked = this.#ask(envelope)
      if (!known) awaited.push(asked)
    }
    return awaited.length > 0 ? Promise.all(awaited).then(() => {}) : undefined
  }

  open(name: string, sealed: string): string {
    const envelope = parseEnvelope(sealed)
    if (!envelope) {
      if (versionOf(sealed) === sealVersion.aesGcm)
        throw new UnknownKey(`${name} was encrypted with a key that this node does not have`)
      throw new Error('it is not a sealed entry')
    }
    const key = this.#known.get(envelope.id)
    if (key && 'seal' in key) return key.seal.open(name, envelope.body)
    if (key?.failure instanceof DamagedDataKey) throw key.failure
    throw new UnknownKey(
      `${name} is encrypted by ${envelope.arn}: ${key?.failure.message ?? 'not asked yet'}`,
    )
  }

  async #make(): Promise<void> {
    const { key, wrapped } = await this.#kms.generate()
    const head = headOf(wrapped)
    const seal = sealWith(key)
    this.#own = { head, seal }
    this.#know(head.toString('base64'), { seal })
  }

  #ask(envelope: Envelope): Promise<void> {
    const { id } = envelope
    let asked = this.#asked.get(id)
    if (!asked) {
      asked = this.#kms.open(envelope).then(
        (key) => this.#know(id, { seal: sealWith(key) }),
        (failure: Error) => {
          const isFinal = failure instanceof DamagedDataKey
          const askAgainAt = isFinal ? Number.POSITIVE_INFINITY : performance.now() + this.#retryAfter
          this.#know(id, { failure, askAgainAt })
        },
      )
      this.#asked.set(id, asked)
      void asked.finally(() => this.#asked.delete(id))
    }
    return asked
  }

  #know(id: string, key: DataKey): void {
    this.#known.set(id, key)
    if (this.#known.size > mostKeys) this.#known.delete(this.#known.keys().next().value!)
  }
}

/** The key is in the seal then, and nowhere else in plain bytes. */
function sealWith(key: Buffer): AesGcmSeal {
  const seal = new AesGcmSeal([key])
  key.fill(0)
  return seal
}

/** A byte for the version, then the ARN and the data key, each behind its length in two bytes. */
function headOf({ arn, wrapped }: WrappedKey): Buffer {
  const withLength = (bytes: Buffer) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  return Buffer.concat([Buffer.from([sealVersion.kms]), withLength(Buffer.from(arn)), withLength(wrapped)])
}

/** Undefined where it is none, or was cut off. */
function parseEnvelope(sealed: string): Envelope | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes[0] !== sealVersion.kms) return undefined
  const endOf = (start: number) =>
    bytes.length >= start + 2 ? start + 2 + bytes.readUInt16BE(start) : Infinity
  const arnEnd = endOf(1)
  const end = endOf(arnEnd)
  if (end >= bytes.length) return undefined
  return {
    id: bytes.subarray(0, end).toString('base64'),
    arn: bytes.toString('utf8', 3, arnEnd),
    wrapped: bytes.subarray(arnEnd + 2, end),
    body: bytes.subarray(end).toString('base64'),
  }
}
