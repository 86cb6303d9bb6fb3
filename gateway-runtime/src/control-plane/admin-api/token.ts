import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const form = /^[A-Za-z0-9_-]{43}$/ // 32 bytes as base64url

/** Where the token of the admin API is kept. */
export const adminTokenPath = (stateDirectory: string): string => join(stateDirectory, 'admin-token')

/**
 * The token of the admin API: 32 random bytes as base64url, made at the first start with mode 0600, and read again
 * ever after. The folder is made, with mode 0700, where it is missing.
 * @throws Error when the file can be read by others than its owner, or holds no token
 */
export function openAdminToken(stateDirectory: string): string {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 })
  const path = adminTokenPath(stateDirectory)
  const made = `${path}.${randomUUID()}`
  try {
    return readAdminToken(stateDirectory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  try {
    writeFileSync(made, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    // A link is made only where nothing has the name yet, and the file is whole when it gets it.
    linkSync(made, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(made, { force: true })
  }
  return readAdminToken(stateDirectory)
}

/**
 * Reads the token that a gateway has made.
 * @throws Error as of the file system (`code` ENOENT, EACCES), or when the file is open to others or holds no token
 */
export function readAdminToken(stateDirectory: string): string {
  const path = adminTokenPath(stateDirectory)
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const status = fstatSync(descriptor)
    if (!status.isFile() || status.size > 4_096) throw new Error(`${path} is not a token file; ${renewal}`)
    if ((status.mode & 0o077) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, '0')
      throw new Error(
        `${path} has mode ${mode}, so others may have read the admin token; ${renewal}, or chmod 600 it if nobody did`,
      )
    }
    const token = readFileSync(descriptor, 'utf8').trim()
    if (!form.test(token)) throw new Error(`${path} holds no admin token; ${renewal}`)
    return token
  } finally {
    closeSync(descriptor)
  }
}

const renewal = 'delete it and start the gateway again to get a new one'

/** Whether a token is the expected one, in a time that tells nothing of either. */
export function verifyToken(given: string, expected: string): boolean {
  return timingSafeEqual(sha256(given), sha256(expected))
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()
