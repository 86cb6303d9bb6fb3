import { spawn } from 'node:child_process'
import { test } from '@jest/globals'
import { findProgram } from '../../scripts/process/system-programs.ts'
import type { TestProgram } from '../../scripts/test/programs.ts'

export interface ProgramRun {
  /** null when a signal ended it, also that of the limit. */
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions {
  /** What it reads from stdin; nothing where it is left out. */
  readonly input?: Buffer
  /** Milliseconds after which it is ended; 30,000. */
  readonly limit?: number
}

/** A program of the system, for the tests that need it. */
export interface ProgramForTests {
  /** Its path; only tests of its own `test` may ask, which run where it is installed. */
  readonly path: string
  readonly isInstalled: boolean
  /** A test of Jest, which is skipped where the program is not installed; `limit` in milliseconds, 60,000. */
  test(name: string, body: () => Promise<void>, limit?: number): void
  /** Runs it to its end; how it ended is for the test to judge. Rejects only when it cannot be started. */
  run(args: readonly string[], options?: RunOptions): Promise<ProgramRun>
}

/** Looks for a program that tests need. */
export async function programForTests(name: TestProgram): Promise<ProgramForTests> {
  const path = await findProgram(name)
  return {
    path: path ?? name,
    isInstalled: path !== undefined,
    test: (title, body, limit) =>
      path ? test(title, body, limit) : test.skip(`${title} (skipped: ${name} is not installed)`, body),
    run: (args, options) => run(path ?? name, args, options),
  }
}

function run(path: string, args: readonly string[], options: RunOptions = {}): Promise<ProgramRun> {
  const { input, limit = 30_000 } = options
  const child = spawn(path, args, { timeout: limit, stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin?.on('error', () => {}) // it may end before it has read all
  child.stdin?.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }))
  })
}
