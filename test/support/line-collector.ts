import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/** A server that keeps the lines it is sent. */
export interface LineCollector {
  readonly port: number
  readonly text: () => string
  readonly lines: () => string[]
  stop(): Promise<void>
}

/** `port`: a certain one, to bring back one that was stopped; `tls`: speaks TLS. */
export async function startLineCollector(port = 0, tls?: TlsOptions): Promise<LineCollector> {
  let text = ''
  const sockets = new Set<Socket>()
  const onConnection = (socket: Socket) => {
    sockets.add(socket)
    socket.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    socket.on('error', () => {})
  }
  const server: Server = tls ? createTlsServer(tls, onConnection) : createServer(onConnection)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    text: () => text,
    lines: () => text.split('\n').slice(0, -1),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
