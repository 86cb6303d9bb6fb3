import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

/** An address that neither accepts nor refuses a connection, as behind a firewall that drops packets. */
export interface BlackHole {
  readonly port: number
  stop(): Promise<void>
}

const backlog = 1

// A thread that listens and then stands still; what the system accepts for it is bounded by the backlog.
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen(workerData, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

/** Starts one on a loopback address; on a free port where none is given. */
export async function startBlackHole(host: string, port = 0): Promise<BlackHole> {
  const worker = new Worker(program, { eval: true, workerData: { host, port, backlog } })
  const [bound] = (await once(worker, 'message')) as [number]
  const fillers: Socket[] = []
  for (let count = 0; count <= backlog; count++) {
    const socket = connect({ host, port: bound })
    await once(socket, 'connect')
    socket.on('error', () => {})
    fillers.push(socket)
  }
  return {
    port: bound,
    stop: async () => {
      for (const socket of fillers) socket.destroy()
      await worker.terminate()
    },
  }
}
