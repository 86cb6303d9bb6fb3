import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CliError } from './cli-error.ts'

const longest = 1_024

/**
 * A password from standard input, its first line. At a terminal it is asked for, and not shown.
 * @throws CliError where there is none, or it is longer than 1,024 bytes
 */
export async function readPassword(user: string): Promise<string> {
  const { stdin, stderr } = process
  const isTerminal = stdin.isTTY === true
  if (isTerminal) stderr.write(`Password of ${user}: `)
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: silence, terminal: isTerminal })
  const password = await new Promise<string>((resolve) => {
    lines.once('line', resolve).once('close', () => resolve(''))
    lines.once('SIGINT', () => lines.close())
  })
  lines.close()
  if (isTerminal) stderr.write('\n')
  if (password === '')
    throw new CliError(`give the password of ${user} on standard input: its first line is taken`, 2)
  if (Buffer.byteLength(password) > longest) throw new CliError(`a password has at most ${longest} bytes`, 2)
  return password
}
