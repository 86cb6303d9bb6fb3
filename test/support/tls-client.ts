import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

/** Shakes hands with 127.0.0.1; rejects with the error of the handshake. */
export function openTls(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options })
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
    socket.once('close', () => reject(new Error('closed within the handshake')))
  })
}

/** Asks for a path on a connection that ends with the answer, and returns all of it. */
export async function ask(socket: TLSSocket, path: string, fields = ''): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`)
  return Buffer.concat(await socket.toArray()).toString()
}
