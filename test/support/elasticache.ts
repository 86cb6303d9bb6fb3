import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import { listenOnFreePort } from './ports.ts'
import { selfSigned } from './self-signed.ts'

/** A cluster of one server that takes only what `admits` lets in, over TLS: what ElastiCache does at its edge. */
export interface ElastiCache {
  readonly address: string
  readonly ca: string
  /** Users and tokens that were shown, in their order. */
  readonly shown: readonly (readonly [user: string, token: string])[]
  stop(): void
}

/** The commands in what was read so far, arrays of bulk strings (RESP), and the rest. */
function readCommands(text: string): { commands: string[][]; rest: string } {
  const commands: string[][] = []
  let rest = text
  for (;;) {
    const [head, count] = /^\*(\d+)\r\n/.exec(rest) ?? []
    if (head === undefined) return { commands, rest }
    let at = head.length
    const words: string[] = []
    while (words.length < Number(count)) {
      const [line, length] = /^\$(\d+)\r\n/.exec(rest.slice(at)) ?? []
      if (line === undefined || rest.length < at + line.length + Number(length) + 2) return { commands, rest }
      words.push(rest.substr(at + line.length, Number(length)))
      at += line.length + Number(length) + 2
    }
    commands.push(words)
    rest = rest.slice(at)
  }
}

export async function startElastiCache(
  admits: (user: string, token: string) => boolean,
): Promise<ElastiCache> {
  const { cert, key } = await selfSigned('localhost')
  const shown: (readonly [string, string])[] = []
  const sockets = new Set<Socket>()
  let port = 0
  const answer = ([name = '', ...rest]: string[], isKnown: boolean): string => {
    if (!isKnown) return '-WRONGPASS invalid username-password pair or user is disabled.\r\n'
    if (name.toUpperCase() === 'AUTH') return '+OK\r\n'
    if (name.toUpperCase() === 'HELLO') return '%2\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n'
    if (name.toUpperCase() === 'CLUSTER' && rest[0]?.toUpperCase() === 'SLOTS')
      return `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\nlocalhost\r\n:${port}\r\n$40\r\n${'a'.repeat(40)}\r\n`
    if (name.toUpperCase() === 'PING') return '+PONG\r\n'
    return '+OK\r\n'
  }
  const server = createServer({ cert, key }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    let unread = ''
    let isKnown = false
    socket.setEncoding('latin1').on('data', (text: string) => {
      const { commands, rest } = readCommands(unread + text)
      unread = rest
      for (const command of commands) {
        const at = command.findIndex((word) => word.toUpperCase() === 'AUTH') // alone, or within HELLO
        if (at >= 0) {
          const [user = '', token = ''] = command.slice(at + 1)
          shown.push([user, token])
          isKnown = admits(user, token)
        }
        socket.write(answer(command, isKnown), 'latin1')
      }
    })
  })
  port = await listenOnFreePort(server)
  return {
    address: `localhost:${port}`,
    ca: cert,
    shown,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
