import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/*
 * Private keys that come by the admin API: each in a file of mode 0600 beside the configuration, which names it. A
 * file is called by the hash of its content, so it is never written over, and an older configuration finds its own.
 */

const folderName = 'private-keys'
const form = /^\.\/private-keys\/[0-9a-f]{32}\.key$/

/** Whether a setting names such a file. */
export const isKeyFile = (setting: string): boolean => form.test(setting)

/** Puts a key into its file, and returns the setting that names it. */
export function writeKeyFile(folder: string, pem: string): string {
  const name = `${createHash('sha256').update(pem).digest('hex').slice(0, 32)}.key`
  const path = join(folder, folderName, name)
  if (!existsSync(path)) {
    mkdirSync(join(folder, folderName), { recursive: true, mode: 0o700 })
    const temporary = `${path}.${randomUUID()}.tmp`
    writeFileSync(temporary, pem, { mode: 0o600, flag: 'wx' })
    renameSync(temporary, path)
  }
  return `./${folderName}/${name}`
}

/** Deletes the files of keys that none of these texts name. */
export function sweepKeyFiles(folder: string, texts: Iterable<string>): void {
  if (!existsSync(join(folder, folderName))) return
  const all = [...texts]
  for (const name of readdirSync(join(folder, folderName))) {
    if (!/^[0-9a-f]{32}\.key$/.test(name) || all.some((text) => text.includes(name))) continue
    rmSync(join(folder, folderName, name), { force: true })
  }
}
