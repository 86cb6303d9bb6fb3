import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Runs a program to its end. Rejects with the last line it wrote to stderr; `limit` in milliseconds, 20,000. */
export async function run(program: string, args: readonly string[], limit = 20_000): Promise<string> {
  try {
    return (await execute(program, [...args], { timeout: limit, maxBuffer: 16_777_216 })).stdout
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    throw new Error(`${program} ${args[0] ?? ''}: ${stderr.trim().split('\n').at(-1) || message}`)
  }
}

/** The same for `ip`, with its arguments as one line. */
export const ip = (line: string) => run('ip', line.split(' '))
