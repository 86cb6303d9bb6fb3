import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import type { KmsSettings } from '../../../config/certificate-store-settings.ts'

/** A data key as it is kept: nobody but KMS can open it, with the key that it was made of. */
export interface WrappedKey {
  /** ARN of that key. */
  readonly arn: string
  readonly wrapped: Buffer
}

/** KMS says that it never made such a data key: it was changed. */
export class DamagedDataKey extends Error {
  override readonly name = 'DamagedDataKey'
}

/** All attempts for one answer together, with the search for credentials; milliseconds. */
const longestWait = 5_000
const attempts = 3

/** Ties data keys to what they are for: KMS opens them for nothing else. */
const EncryptionContext = { application: 'gatehouse', purpose: 'certificates' }

interface MasterKey {
  readonly KeyId: string
  readonly client: KMSClient
}

/**
 * Makes and opens data keys by AWS KMS, with the credentials of the node. Source: KMS Developer Guide, "Envelope
 * encryption" and "Encryption context".
 */
export class Kms {
  readonly #keys: readonly MasterKey[]

  constructor({ key, previous_keys: previous, endpoint }: KmsSettings) {
    this.#keys = [key, ...previous].map((KeyId) => ({ KeyId, client: clientOf(KeyId, endpoint) }))
  }

  /** Rejected with what KMS says, or that it did not answer in time. */
  async generate(): Promise<{ readonly key: Buffer; readonly wrapped: WrappedKey }> {
    const { KeyId, client } = this.#keys[0]!
    const command = new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext })
    const made = await inTime((options) => client.send(command, options))
    return {
      key: Buffer.from(made.Plaintext!),
      wrapped: { arn: made.KeyId!, wrapped: Buffer.from(made.CiphertextBlob!) },
    }
  }

  /** Rejected with DamagedDataKey; with any other error where it may be opened later, or with other settings. */
  async open(data: WrappedKey): Promise<Buffer> {
    try {
      return await Promise.any(this.#keys.map((key) => openWith(key, data)))
    } catch (error) {
      const { errors } = error as AggregateError
      throw errors.find((one) => one instanceof DamagedDataKey) ?? errors[0]
    }
  }
}

function clientOf(KeyId: string, endpoint: string | undefined): KMSClient {
  const region = KeyId.startsWith('arn:') ? KeyId.split(':')[3] : undefined
  return new KMSClient({
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: longestWait / attempts, socketTimeout: longestWait / attempts },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  })
}

async function openWith({ KeyId, client }: MasterKey, { arn, wrapped }: WrappedKey): Promise<Buffer> {
  const command = new DecryptCommand({ KeyId, CiphertextBlob: wrapped, EncryptionContext })
  try {
    const opened = await inTime((options) => client.send(command, options))
    return Buffer.from(opened.Plaintext!)
  } catch (error) {
    const { name, message } = error as Error
    // Another region says the same of what is well.
    const isDamaged =
      name === 'InvalidCiphertextException' && (await client.config.region()) === arn.split(':')[3]
    throw isDamaged ? new DamagedDataKey(`${arn}: ${message}`) : error
  }
}

async function inTime<Answer>(
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<Answer>,
): Promise<Answer> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${longestWait} ms`))
      abort.abort()
    }, longestWait).unref()
  })
  try {
    return await Promise.race([send({ abortSignal: abort.signal }), tooLate])
  } catch (error) {
    const { name, message } = error as Error
    throw Object.assign(new Error(`AWS KMS: ${message || name}`, { cause: error }), { name })
  } finally {
    clearTimeout(timer)
  }
}
