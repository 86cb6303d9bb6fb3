import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Snapshot } from '../config/snapshot.ts'
import type { PemFiles } from '../worker-messages.ts'
import { OperationalError } from './operational-error.ts'

/**
 * Reads the certificates and keys of all listeners. Throws an error that names the listener where one cannot be read
 * or does not fit its key, so that no worker ever sees it.
 */
export function readPemFiles(snapshot: Snapshot): PemFiles {
  const files = new Map<string, string>()
  for (const { protocol, port, certificate, key } of snapshot.listeners) {
    if (protocol !== 'https') continue
    try {
      for (const path of [certificate!, key!])
        if (!files.has(path)) files.set(path, readFileSync(path, 'utf8'))
      createSecureContext({ cert: files.get(certificate!)!, key: files.get(key!)! })
    } catch (error) {
      throw new OperationalError(`listener on port ${port}: ${(error as Error).message}`, { cause: error })
    }
  }
  return files
}
