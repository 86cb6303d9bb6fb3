import { describe, expect, test } from '@jest/globals'
import { startProgram } from '../../../scripts/process/program.ts'
import { eventually } from '../../support/eventually.ts'

const node = (script: string) =>
  startProgram({ name: 'script', command: [process.execPath, '--eval', script] })
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('startProgram', () => {
  test('keeps what the program wrote to both streams and tells how it ended', async () => {
    const program = await node('console.log("out"); console.error("err"); process.exitCode = 3')
    expect(await program.exited).toEqual({ code: 3, signal: null })
    expect(program.output()).toContain('out\n')
    expect(program.output()).toContain('err\n')
    expect(program.hasExited).toBe(true)
  })

  test('rejects with the name of a program that cannot be started', async () => {
    const missing = startProgram({ name: 'the missing one', command: ['/nowhere/at-all'] })
    await expect(missing).rejects.toThrow(/cannot start the missing one: .*ENOENT/)
  })

  test('stop lets a program end by itself', async () => {
    const program = await node(
      'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1e6); console.log("up")',
    )
    await eventually('the first line', () => program.output().includes('up'))
    expect(await program.stop()).toEqual({ code: 7, signal: null })
  })

  test('stop kills a program that ignores the signal when the limit is over', async () => {
    const program = await node(
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6); console.log("up")',
    )
    await eventually('the first line', () => program.output().includes('up'))
    expect(await program.stop({ limit: 50 })).toEqual({ code: null, signal: 'SIGKILL' })
    expect(isAlive(program.pid)).toBe(false)
  })
})
