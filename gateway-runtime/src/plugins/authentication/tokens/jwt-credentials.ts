import { createSecretKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Credential } from '../../contract.ts'
import {
  type Algorithm,
  algorithms,
  isSymmetric,
  keyProblem,
  readPublicKey,
  shortestSecret,
} from './algorithms.ts'

const text = z.string().regex(/^[^\p{Cc}]{1,1024}$/u, 'expected 1 to 1024 characters')

const fields = {
  subject: text
    .optional()
    .describe('Value of consumer_claim (sub) in tokens that an issuer makes for the consumer.'),
  issuer: text.optional().describe('With subject: the only issuer (iss) whose tokens it means.'),
}

/** A credential that only names the subject of tokens. */
export const subjectCredential = z.strictObject({ ...fields, subject: fields.subject.unwrap() })

/** A consumer that makes its tokens itself, or the subject of tokens that an issuer makes. */
export const jwtCredential = z
  .strictObject({
    key: text
      .optional()
      .describe('What tokens of the consumer name: in key_claim (iss), or as kid in their head.'),
    algorithm: z.enum(algorithms).optional().describe('With key: the one algorithm of its signatures.'),
    secret: z
      .string()
      .max(4_096)
      .optional()
      .describe('With key and HS256, HS384, HS512; as long as the hash at least.'),
    public_key: z
      .string()
      .max(65_536)
      .optional()
      .describe('With key and the other algorithms: PEM text, best as a reference to a file.'),
    ...fields,
  })
  .superRefine((credential, { addIssue }) => {
    const problem = problemOf(credential)
    if (problem) addIssue({ code: 'custom', path: problem.slice(0, 1), message: problem[1] })
  })

export type JwtCredential = z.output<typeof jwtCredential>

/** Field and what is wrong with it. */
function problemOf({
  key,
  algorithm,
  secret,
  public_key,
  subject,
  issuer,
}: JwtCredential): [string, string] | undefined {
  if ((key === undefined) === (subject === undefined))
    return ['key', 'a credential has either key (with algorithm, and secret or public_key) or subject']
  if (key === undefined) {
    const extra = Object.entries({ algorithm, secret, public_key }).find(([, value]) => value !== undefined)
    return extra && [extra[0], `${extra[0]} goes with key, not with subject`]
  }
  if (issuer !== undefined) return ['issuer', 'issuer goes with subject; key says who makes the tokens']
  if (algorithm === undefined) return ['algorithm', `key needs algorithm, one of ${algorithms.join(', ')}`]
  return isSymmetric(algorithm)
    ? secretProblem(algorithm, secret, public_key)
    : publicKeyProblem(algorithm, secret, public_key)
}

function secretProblem(
  algorithm: Algorithm,
  secret: string | undefined,
  publicKey: string | undefined,
): [string, string] | undefined {
  if (publicKey !== undefined) return ['public_key', `${algorithm} goes by a secret, not by a public key`]
  const least = shortestSecret(algorithm)
  return Buffer.byteLength(secret ?? '') < least
    ? ['secret', `${algorithm} needs a secret of at least ${least} bytes`]
    : undefined
}

function publicKeyProblem(
  algorithm: Algorithm,
  secret: string | undefined,
  pem: string | undefined,
): [string, string] | undefined {
  if (secret !== undefined) return ['secret', `${algorithm} goes by a public key, not by a secret`]
  const key = readPublicKey(pem ?? '')
  if (!key) return ['public_key', `${algorithm} needs a public key, as PEM text`]
  const problem = keyProblem(key, algorithm)
  return problem === undefined ? undefined : ['public_key', problem]
}

/** What tells a credential from all others. */
export const credentialKey = ({ key, subject, issuer }: Partial<JwtCredential>): string =>
  key === undefined ? `subject ${JSON.stringify([issuer, subject])}` : `key ${key}`

type Credentials = ReadonlyMap<string, Credential>

/** The consumer that has this subject of this issuer. */
export const consumerOfSubject = (credentials: Credentials, issuer: unknown, subject: string) =>
  (
    credentials.get(credentialKey({ issuer: String(issuer), subject })) ??
    credentials.get(credentialKey({ subject }))
  )?.consumer

/** What a consumer's own tokens are verified by. */
export interface SigningKey {
  readonly algorithm: Algorithm
  readonly key: KeyObject
}

const keys = new WeakMap<JwtCredential, SigningKey>()

/** Made from its text at the first use. */
export function signingKey(credential: JwtCredential): SigningKey {
  const known = keys.get(credential)
  if (known) return known
  const { algorithm, secret, public_key } = credential
  const key = secret === undefined ? readPublicKey(public_key!)! : createSecretKey(secret, 'utf8')
  const made = { algorithm: algorithm!, key }
  keys.set(credential, made)
  return made
}
