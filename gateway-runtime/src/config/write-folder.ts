import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { FolderContents } from './folder.ts'
import { readTextFile } from './text-file.ts'

/** A file was changed by somebody else since it was read; nothing was written. */
export class FolderChanged extends Error {
  override readonly name = 'FolderChanged'
  readonly code = 'folder-changed'
}

const modeOfNewFiles = 0o640

/**
 * Writes what differs between `before` and `after`. Each file is replaced at once, by a temporary file beside it that
 * is on the disk before it takes the name; mode and owner stay. A symbolic link stays one: its target is replaced.
 * @throws FolderChanged, before anything is written, when a file is no longer what `before` says
 */
export function writeFolder(folder: string, before: FolderContents, after: FolderContents): void {
  const names = [...new Set([...before.keys(), ...after.keys()])]
  const changed = names.filter((name) => before.get(name) !== after.get(name))
  for (const name of changed) {
    if (name !== basename(name)) throw new Error(`${JSON.stringify(name)} is not the name of a file`)
    if (readIfThere(join(folder, name)) !== before.get(name)) {
      throw new FolderChanged(`${join(folder, name)} was changed by somebody else; nothing was written`)
    }
  }
  for (const name of changed) {
    const text = after.get(name)
    if (text === undefined) removeFile(join(folder, name))
    else replaceFile(join(folder, name), text)
  }
}

function removeFile(path: string): void {
  rmSync(path)
  syncFolder(dirname(path))
}

function replaceFile(path: string, text: string): void {
  const known = statSync(path, { throwIfNoEntry: false })
  const target = known ? realpathSync(path) : path
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const descriptor = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(descriptor, text)
      if (known) fchownSync(descriptor, known.uid, known.gid)
      fchmodSync(descriptor, known ? known.mode & 0o7777 : modeOfNewFiles)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, target)
    syncFolder(dirname(target))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Puts names on the disk, too. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function readIfThere(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false }) ? readTextFile(path) : undefined
}
