import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'

/** What one file of a configuration, or one that it refers to, may hold. */
export const largestFile = 1_048_576

/** Why a file could not be read, in words that follow its name: `it is a directory`. */
export class UnreadableFile extends Error {}

/**
 * Reads a regular file of up to 1 MiB as UTF-8; never waits for a pipe or device.
 * @throws UnreadableFile
 */
export function readTextFile(path: string): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const status = fstatSync(descriptor)
    if (status.isDirectory()) throw new UnreadableFile('it is a directory')
    if (!status.isFile()) throw new UnreadableFile('it is not a regular file')
    if (status.size > largestFile) throw new UnreadableFile('it is larger than 1 MiB')
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(descriptor))
  } catch (error) {
    throw error instanceof UnreadableFile ? error : new UnreadableFile(reasonOf(error))
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** The reason of a system error or a failed decoding, without paths. */
export function reasonOf(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'it is not UTF-8 text'
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno)
  return known ? known[1] : String(error)
}
