import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** What is between two messages is a newline, or the length of the next one (RFC 6587). */
function splitMessages(text: string): { readonly messages: string[]; readonly rest: string } {
  const messages: string[] = []
  let rest = text
  for (;;) {
    const length = /^(\d{1,7}) </.exec(rest)?.[1]
    const start = length === undefined ? 0 : length.length + 1
    const end = length === undefined ? rest.indexOf('\n') : start + Number(length)
    if (end < 0 || end > rest.length) return { messages, rest: rest.slice(-mostHeld) }
    messages.push(rest.slice(start, end))
    rest = rest.slice(length === undefined ? end + 1 : end)
  }
}

const mostHeld = 1_048_576

/** Of a syslog message, the JSON that it ends with; a line of JSON is as it is. */
const contentOf = (message: string) => /^<\d+>1 (?:\S+ ){5}- (.*)$/s.exec(message)?.[1] ?? message

/**
 * Takes what `logs.export` of gateways sends, over TCP and UDP on one port, for as long as the process runs.
 * @param show - gets each line, without what frames it
 */
export async function listenForLogs(
  host: string,
  port: number,
  show: (line: string) => void,
): Promise<never> {
  const datagrams = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  datagrams.on('message', (message) => show(contentOf(message.toString())))
  datagrams.bind(port, host)
  const server = createServer((socket: Socket) => {
    let held = ''
    socket.setEncoding('latin1').on('data', (piece: string) => {
      const { messages, rest } = splitMessages(held + piece)
      held = rest
      for (const message of messages) show(contentOf(Buffer.from(message, 'latin1').toString()))
    })
    socket.on('error', () => socket.destroy())
  })
  server.maxConnections = 256
  server.listen(port, host)
  await Promise.all([once(server, 'listening'), once(datagrams, 'listening')])
  process.stderr.write(
    `listening on ${host}:${port} (TCP and UDP) for logs.export of gateways; Ctrl-C ends it\n`,
  )
  return new Promise(() => {})
}
