import { createSecretKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { readPublicKey } from '../tokens/algorithms.ts'
import { type SignatureAlgorithm, signatureAlgorithms, signatureKeyProblem } from './signature-algorithms.ts'

const shortestSecret = 32

/** What a consumer signs its requests by. */
export const signatureCredential = z
  .strictObject({
    key_id: z
      .string()
      .regex(/^[\x20-\x7e]{1,256}$/, 'expected 1 to 256 ASCII characters')
      .describe('What signatures name: keyid.'),
    algorithm: z.enum(signatureAlgorithms).describe('The one algorithm of its signatures.'),
    secret: z.string().max(4_096).optional().describe('With hmac-sha256: at least 32 bytes, as text.'),
    secret_base64: z.base64().max(8_192).optional().describe('With hmac-sha256: the same, as base64.'),
    public_key: z
      .string()
      .max(65_536)
      .optional()
      .describe('With the other algorithms: PEM text, best as a reference to a file.'),
  })
  .superRefine((credential, { addIssue }) => {
    const problem = problemOf(credential)
    if (problem) addIssue({ code: 'custom', path: [problem[0]], message: problem[1] })
  })

export type SignatureCredential = z.output<typeof signatureCredential>

/** Field and what is wrong with it. */
function problemOf(credential: SignatureCredential): [string, string] | undefined {
  const { algorithm, secret, secret_base64, public_key } = credential
  const secrets = [secret, secret_base64].filter((text) => text !== undefined).length
  if (algorithm === 'hmac-sha256') {
    if (public_key !== undefined) return ['public_key', 'hmac-sha256 goes by a secret, not by a public key']
    if (secrets !== 1) return ['secret', 'hmac-sha256 needs either secret or secret_base64']
    return secretOf(credential).length < shortestSecret
      ? [secret === undefined ? 'secret_base64' : 'secret', `a secret has at least ${shortestSecret} bytes`]
      : undefined
  }
  if (secrets > 0) return ['secret', `${algorithm} goes by a public key, not by a secret`]
  const key = readPublicKey(public_key ?? '')
  if (!key) return ['public_key', `${algorithm} needs a public key, as PEM text`]
  const problem = signatureKeyProblem(key, algorithm)
  return problem === undefined ? undefined : ['public_key', problem]
}

const secretOf = ({ secret, secret_base64 }: SignatureCredential): Buffer =>
  secret === undefined ? Buffer.from(secret_base64!, 'base64') : Buffer.from(secret)

/** What signatures are verified by. */
export interface VerifyingKey {
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyObject
}

const keys = new WeakMap<SignatureCredential, VerifyingKey>()

/** Made from its text at the first use. */
export function verifyingKey(credential: SignatureCredential): VerifyingKey {
  const known = keys.get(credential)
  if (known) return known
  const { algorithm, public_key } = credential
  const key = public_key === undefined ? createSecretKey(secretOf(credential)) : readPublicKey(public_key)!
  const made = { algorithm, key }
  keys.set(credential, made)
  return made
}
