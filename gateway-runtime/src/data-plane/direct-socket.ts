import { Socket } from 'node:net'

interface WithHandle {
  _handle: object | null
}

/**
 * A socket for an accepted connection that reads straight into `buffer`, past the stream. The callback is told how
 * many bytes came; they are read over by the next read of any connection.
 *
 * Node.js offers this for connections that a program opens (net.connect: onread) and not for those that a server
 * accepts; so the accepted one gives its handle to a socket that is made with that option.
 */
export function directSocket(accepted: Socket, buffer: Buffer, onRead: (size: number) => void): Socket {
  const from = accepted as unknown as WithHandle
  const socket = new Socket({
    handle: from._handle,
    allowHalfOpen: true,
    onread: {
      buffer,
      callback: (size: number) => {
        onRead(size)
        return true
      },
    },
  } as ConstructorParameters<typeof Socket>[0])
  from._handle = null
  return socket
}
