import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file (mode 0600) beside the one that is there and puts it in its place by a rename: after a crash there is
 * one or the other, whole.
 */
export async function writeFileAtomically(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomBytes(8).toString('hex')}.new`
  try {
    const file = await open(fresh, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/** A rename lasts over a power cut only when its folder is on the disk too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
