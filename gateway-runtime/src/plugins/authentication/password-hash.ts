import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(argon2)

/** A password as it is stored: argon2id (RFC 9106). */
export interface PasswordHash {
  /** KiB. */
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
  readonly hash: Buffer
}

/** What the OWASP Password Storage Cheat Sheet asks for at least: 19 MiB, two passes. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 }
const largest = { memory: 262_144, passes: 16, parallelism: 16 }
const version = 0x13

/** Makes the hash of a password, in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive('argon2id', { message: password, nonce: salt, tagLength: 32, ...cost })
  const { memory, passes, parallelism } = cost
  return `$argon2id$v=${version}$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`
}

/** Reads the PHC string format; undefined for what is none, or would cost a request too much (256 MiB, 16 passes). */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(
      text,
    )
  if (!match) return undefined
  const [, memory, passes, parallelism, salt, hash] = match
  const parsed = {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt!, 'base64'),
    hash: Buffer.from(hash!, 'base64'),
  }
  return isAffordable(parsed) ? parsed : undefined
}

function isAffordable({ memory, passes, parallelism }: PasswordHash): boolean {
  if (passes < 1 || parallelism < 1 || memory < 8 * parallelism) return false // RFC 9106 section 3.1
  return memory <= largest.memory && passes <= largest.passes && parallelism <= largest.parallelism
}

/** Whether this is the password; reckoned on another thread. */
export async function isPassword(password: string, known: PasswordHash): Promise<boolean> {
  const { memory, passes, parallelism, salt, hash } = known
  const found = await derive('argon2id', {
    message: password,
    nonce: salt,
    tagLength: hash.length,
    memory,
    passes,
    parallelism,
  })
  return timingSafeEqual(found, hash)
}

/** A hash that costs as much as another one and that no password has. */
export const unmatchedHash = (like: PasswordHash | undefined): PasswordHash => ({
  ...(like ?? cost),
  salt: randomBytes(like?.salt.length ?? 16),
  hash: randomBytes(like?.hash.length ?? 32),
})

const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
