import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startProgram } from '../../scripts/process/program.ts'
import { eventually } from '../support/eventually.ts'

const run = promisify(execFile)

export interface SshAgent {
  /** Ends it; this process has the agent from before again. */
  stop(): Promise<void>
}

/** Starts an SSH agent that holds a private key, for what is told of it by `SSH_AUTH_SOCK` of this process. */
export async function startSshAgent(keyFile: string): Promise<SshAgent> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-agent-'))
  const socket = join(folder, 'socket')
  const before = process.env.SSH_AUTH_SOCK
  const agent = await startProgram({ name: 'ssh-agent', command: ['ssh-agent', '-D', '-a', socket] })
  await eventually('the agent listens', () => existsSync(socket))
  await run('ssh-add', ['-q', keyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
  process.env.SSH_AUTH_SOCK = socket
  return {
    async stop() {
      if (before === undefined) delete process.env.SSH_AUTH_SOCK
      else process.env.SSH_AUTH_SOCK = before
      await agent.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
