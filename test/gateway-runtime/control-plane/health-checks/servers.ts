import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Target } from '../../../../gateway-runtime/src/config/snapshot.ts'
import {
  developmentAuthority,
  ensureServerCertificate,
} from '../../../../scripts/start/development-certificates.ts'
import { freePort, listenOnFreePort } from '../../../support/ports.ts'

/** The target that listens on a port of this machine. */
export const targetAt = (port: number): Target => ({
  id: `u/127.0.0.1:${port}`,
  host: '127.0.0.1',
  port,
  weight: 100,
})

/** A target where nobody listens. */
export const absentTarget = async (): Promise<Target> => targetAt(await freePort())

/** A signal that does not abort by itself. */
export const never = (): AbortSignal => new AbortController().signal

/** A signal with the means to abort it. */
export function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('aborted by the test')) }
}

/** For a test file: starts servers of any kind on free ports; `stopAll` ends them with all their connections. */
export function startedServers() {
  const servers: { server: Server; sockets: Set<Socket> }[] = []
  return {
    async start(server: Server): Promise<Target> {
      const sockets = new Set<Socket>()
      server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.once('close', () => sockets.delete(socket))
      })
      servers.push({ server, sockets })
      return targetAt(await listenOnFreePort(server))
    },
    async stopAll(): Promise<void> {
      for (const { server, sockets } of servers.splice(0)) {
        const closed = once(server, 'close')
        server.close()
        for (const socket of sockets) socket.destroy()
        await closed
      }
    },
  }
}

/** A server of raw bytes: answers each connection's first bytes with these, and shows its sockets. */
export function rawServer(answer: string | undefined): { server: Server; next: () => Promise<Socket> } {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      if (answer !== undefined) socket.write(answer, 'latin1')
    })
  })
  return { server, next: async () => ((await once(server, 'connection')) as [Socket])[0] }
}

/** Certificate and key, made in a folder, of an authority that nobody trusts. */
export async function untrustedCertificate(folder: string): Promise<{ cert: Buffer; key: Buffer }> {
  const files = { certificate: join(folder, 'a.crt'), key: join(folder, 'a.key') }
  await ensureServerCertificate(files, await developmentAuthority(join(folder, 'ca')))
  return { cert: await readFile(files.certificate), key: await readFile(files.key) }
}
