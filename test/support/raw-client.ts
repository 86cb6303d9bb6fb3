import { connect, type Socket } from 'node:net'

/** Sends bytes as they are and returns all that comes back until the server closes (or 5 seconds are over). */
export async function sendRaw(port: number, ...pieces: (string | Buffer)[]): Promise<string> {
  const client = await openRaw(port)
  for (const piece of pieces) client.send(piece)
  return client.closed
}

export interface RawClient {
  readonly socket: Socket
  send(bytes: string | Buffer): void
  /** Resolves with all that came so far as soon as it matches. */
  until(pattern: RegExp): Promise<string>
  /** All that came, when the server has closed. */
  readonly closed: Promise<string>
}

/** A connection to 127.0.0.1 on which a test says every byte itself. */
export async function openRaw(port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let text = ''
  const closed = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not closed within 5 s; so far:\n${text}`)), 5_000)
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
  })
  closed.catch(() => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  return {
    socket,
    closed,
    send: (bytes) => void socket.write(bytes),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${pattern} within 5 s; so far:\n${text}`)), 5_000)
        const look = () => {
          if (!pattern.test(text)) return
          clearTimeout(timer)
          socket.off('data', look)
          resolve(text)
        }
        socket.on('data', look)
        look()
      }),
  }
}

/** The status of the first answer in a text, or 0. */
export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
