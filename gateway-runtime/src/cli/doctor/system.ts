import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What the kernel and the programs of a host tell. */
export interface System {
  /** The text of a file; undefined where it is not there or may not be read. */
  read(path: string): string | undefined
  /** The names in a folder; none where it is not there or may not be read. */
  list(path: string): readonly string[]
  /** Where a link leads; undefined where it is none or may not be read. */
  link(path: string): string | undefined
  /** What a program prints; undefined where it is not there, fails or takes over 5 s. */
  run(program: string, ...args: readonly string[]): Promise<string | undefined>
}

/** The host that this runs on; `root` is put before all paths. */
export function systemAt(root = '/'): System {
  const attempt = <Value>(look: () => Value): Value | undefined => {
    try {
      return look()
    } catch {
      return undefined
    }
  }
  return {
    read: (path) => attempt(() => readFileSync(join(root, path), 'utf8')),
    list: (path) => attempt(() => readdirSync(join(root, path))) ?? [],
    link: (path) => attempt(() => readlinkSync(join(root, path))),
    run: (program, ...args) =>
      new Promise((resolve) => {
        execFile(program, args, { timeout: 5_000, maxBuffer: 1_048_576 }, (error, stdout) => {
          resolve(error ? undefined : stdout)
        })
      }),
  }
}
