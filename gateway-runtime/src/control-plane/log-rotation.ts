import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

const lookEvery = 1_000
const names = ['access.log', 'error.log', 'audit.log']

/**
 * Keeps the logs of a node from growing without end where no logrotate does, as in a container: one that is past its
 * size is moved to NAME.1, in the place of the one before, so that a log takes twice its size at most and what was
 * written last is still there.
 */
export class LogRotation {
  readonly #directory: string
  readonly #bytes: number
  readonly #reopen: () => void
  readonly #timer: NodeJS.Timeout

  /**
   * @param bytes - size from which on a log is moved; it can be larger by what is written in a second
   * @param reopen - has all who write go on in new files
   */
  constructor(directory: string, bytes: number, reopen: () => void) {
    this.#directory = directory
    this.#bytes = bytes
    this.#reopen = reopen
    this.#timer = setInterval(() => this.#look(), lookEvery).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const moved = names.filter((name) => this.#move(join(this.#directory, name)))
    if (moved.length > 0) this.#reopen()
  }

  /** @returns whether it was moved; false where it cannot be, which is tried again */
  #move(path: string): boolean {
    try {
      if (statSync(path).size < this.#bytes) return false
      renameSync(path, `${path}.1`)
      return true
    } catch {
      return false
    }
  }
}
