import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Connections that were used once and are kept. */
export interface IdleConnections {
  readonly open: number
  close(): void
}

interface IdleOptions {
  readonly port: number
  readonly count: number
  readonly path: string
}

/** Addresses of loopback that connections come from, so that each has ports enough. */
const sources = Array.from({ length: 10 }, (_, index) => `127.0.0.${index + 2}`)
const atOnce = 64
const answerLimit = 10_000

/**
 * Opens connections to 127.0.0.1, has one request answered on each, and then sends nothing more.
 * Rejects, with all of them closed, when one cannot be opened or is not answered with 200 within 10 s.
 */
export async function openIdleConnections({ port, count, path }: IdleOptions): Promise<IdleConnections> {
  const sockets = new Set<Socket>()
  const close = () => {
    for (const socket of sockets) socket.destroy()
  }
  let next = 0
  const openSome = async () => {
    while (next < count) {
      const localAddress = sources[next++ % sources.length]!
      const socket = connect({ host: '127.0.0.1', port, localAddress })
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      await firstAnswer(socket, path)
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, openSome))
  } catch (error) {
    close()
    throw error
  }
  return {
    get open() {
      return sockets.size
    },
    close,
  }
}

/** The answer is small and comes with a length: it has ended when as much has come. */
function firstAnswer(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`an idle connection ${reason}`))
    const timer = setTimeout(() => fail('was not answered in time'), answerLimit)
    let text = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data
      if (!hasEnded(text)) return
      clearTimeout(timer)
      if (text.startsWith('HTTP/1.1 200 ')) resolve()
      else fail(`was answered with ${text.split('\r\n')[0]}`)
    })
    socket.once('error', (error) => fail(`failed: ${error.message}`))
    socket.once('close', () => fail('was closed'))
    socket.once('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`))
  })
}

function hasEnded(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /^content-length: *(\d+)\r$/im.exec(text)?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= head + 4 + Number(length)
}

/** Waits until the programs at the other side have done what is left of their work. */
export const settle = () => sleep(1_000)
