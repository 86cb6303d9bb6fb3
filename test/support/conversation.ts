import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** What a server said, as latin1. */
export interface Conversation {
  readonly text: string
  /** Whether the server ended it: not because the client had. */
  readonly closedByServer: boolean
}

/**
 * Sends the pieces one by one to a port of 127.0.0.1, and closes its side when `isEnough` of what came back (or at
 * once, where it is enough from the beginning). Resolves when the server has closed; rejects after 20 seconds.
 */
export async function converse(
  port: number,
  pieces: readonly string[],
  isEnough: (text: string) => boolean,
): Promise<Conversation> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  let text = ''
  let sent = false
  let ended = false
  const endWhenEnough = () => {
    if (!sent || ended || !isEnough(text)) return
    ended = true
    socket.end()
  }
  const over = new Promise<Conversation>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`not closed within 20 s; so far:\n${JSON.stringify(text)}`))
    }, 20_000)
    socket.on('error', () => {})
    socket.on('end', () => {
      if (!ended) socket.destroy()
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve({ text, closedByServer: !ended })
    })
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      endWhenEnough()
    })
  })
  for (const piece of pieces) {
    if (socket.destroyed) break
    socket.write(piece, 'latin1')
    if (pieces.length > 1) await nextTurn()
  }
  sent = true
  endWhenEnough()
  return over
}
