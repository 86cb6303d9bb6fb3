import { once } from 'node:events'
import { connect } from 'node:net'
import { type Program, startProgram } from '../../../scripts/process/program.ts'
import { eventually } from '../../support/eventually.ts'

/** Starts a server in the foreground and waits until it takes connections; rejects with its output if it ends instead. */
export async function startServerProgram(
  name: string,
  command: readonly [file: string, ...args: string[]],
  port: number,
): Promise<Program> {
  const program = await startProgram({ name, command })
  const ready = () => {
    if (program.hasExited) throw new Error(`${name} ended; it wrote:\n${program.output()}`)
    return accepts(port)
  }
  await eventually(`${name} listens`, ready, 10_000).catch(async (error) => {
    await program.stop()
    throw error
  })
  return program
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const accepted = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return accepted
}
