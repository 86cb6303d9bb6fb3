import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from '@jest/globals'

const run = promisify(execFile)

/** A file system of a test's own, which is soon full. */
export interface SmallDisk {
  readonly path: string
  /** Takes all the room that is left. */
  fill(): Promise<void>
  /** Gives it back. */
  empty(): Promise<void>
  remove(): Promise<void>
}

/** Mounts one in memory. @param kibibytes - how much it holds */
export async function mountSmallDisk(kibibytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-disk-'))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'gatehouse-test', path]).catch(
    async (error) => {
      await rmdir(path)
      throw error
    },
  )
  const filling = join(path, 'filling')
  return {
    path,
    async fill() {
      const file = await open(filling, 'a')
      try {
        for (;;) await file.write(Buffer.alloc(4_096))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        await file.close()
      }
    },
    empty: () => rm(filling),
    async remove() {
      await run('umount', ['-l', path])
      await rmdir(path)
    },
  }
}

const mayMount = await mountSmallDisk(64).then(
  (disk) => disk.remove().then(() => true),
  () => false,
)

/** A test of Jest, which is skipped where nothing can be mounted; `limit` in milliseconds. */
export const testWithDisk = (name: string, body: () => Promise<void>, limit: number): void =>
  mayMount ? test(name, body, limit) : test.skip(`${name} (skipped: mounting a file system needs root)`, body)
