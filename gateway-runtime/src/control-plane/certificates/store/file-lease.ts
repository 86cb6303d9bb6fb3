import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Lease } from './entry-store.ts'

/**
 * A lock between processes of one host, on a file. SQLite holds it by the kernel's record locks: it is free the moment
 * its process is dead, and a process that stands still keeps it, so that nobody ever holds what another has.
 * @returns undefined where another has it
 */
export function acquireFileLease(path: string): Lease | undefined {
  closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    const { errcode } = error as { readonly errcode?: number }
    if (errcode === busy) return undefined
    throw error
  }
  let isHeld = true
  return {
    get isHeld() {
      return isHeld
    },
    async release() {
      if (isHeld) database.close()
      isHeld = false
    },
  }
}

const busy = 5 // SQLITE_BUSY
