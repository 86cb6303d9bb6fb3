import { hkdfSync } from 'node:crypto'
import { EncryptJWT, type JWTPayload, jwtDecrypt } from 'jose'

/** Encrypts and authenticates what browsers keep for the gateway: JSON Web Encryption (RFC 7516) with A256GCM. */
export class Seal {
  readonly #keys: readonly Uint8Array[]

  /**
   * @param secrets - the first one seals, each opens: a new one is put first, and the last one taken away later
   * @param purpose - what is sealed for another one cannot be opened
   */
  constructor(secrets: readonly string[], purpose: readonly string[]) {
    const info = JSON.stringify(['gatehouse', ...purpose])
    this.#keys = secrets.map((secret) => new Uint8Array(hkdfSync('sha256', secret, '', info, 32)))
  }

  /** @param until - milliseconds of `Date.now()` after which it cannot be opened any more */
  seal(content: object, until: number): Promise<string> {
    return new EncryptJWT({ content })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setExpirationTime(Math.ceil(until / 1_000))
      .encrypt(this.#keys[0]!)
  }

  /** What was sealed; undefined where it was not sealed here, or for too long a time ago. */
  async open(text: string): Promise<unknown> {
    for (const key of this.#keys) {
      const opened = await jwtDecrypt<JWTPayload & { content?: unknown }>(text, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      }).catch(() => undefined)
      if (opened) return opened.payload.content
    }
    return undefined
  }
}
