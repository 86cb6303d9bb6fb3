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
 * Writes what differs between `before` and `after`: all of it or, where the disk is full, nothing. Each file is replaced
 * at once, by a temporary file beside it; all of these are on the disk before the first takes its name. Mode and owner
 * stay. A symbolic link stays one: its target is replaced.
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
  const replacements: Replacement[] = []
  try {
    for (const name of changed) {
      const text = after.get(name)
      if (text !== undefined) replacements.push(prepare(join(folder, name), text))
    }
    for (const { temporary, target } of replacements) renameSync(temporary, target)
  } catch (error) {
    for (const { temporary } of replacements) rmSync(temporary, { force: true })
    throw error
  }
  for (const name of changed) if (!after.has(name)) rmSync(join(folder, name))
  const folders = [...replacements.map(({ target }) => dirname(target)), folder]
  for (const touched of new Set(folders)) syncFolder(touched)
}

interface Replacement {
  readonly temporary: string
  readonly target: string
}

function prepare(path: string, text: string): Replacement {
  const known = statSync(path, { throwIfNoEntry: false })
  const target = known ? realpathSync(path) : path
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`)
  const descriptor = openSync(temporary, 'wx', 0o600)
  try {
    writeFileSync(descriptor, text)
    if (known) fchownSync(descriptor, known.uid, known.gid)
    fchmodSync(descriptor, known ? known.mode & 0o7777 : modeOfNewFiles)
    fsyncSync(descriptor)
    return { temporary, target }
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
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
