import { connect, type Socket } from 'node:net'
import type { CorpusRequest } from './corpus-request.ts'

/** Sends requests as they are written, one after another on a connection that is kept; reads only the status. */
export class RawClient {
  readonly #port: number
  #socket: Socket | undefined
  #received = ''
  #done: ((status: number) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  constructor(port: number) {
    this.#port = port
  }

  /** The status of the answer. `index` goes into a header, so that a log tells which request it was. */
  send(request: CorpusRequest, index: number): Promise<number> {
    const socket = this.#connected()
    const fields = [...request.headers, ['X-Case', String(index)]].map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    const head = `${request.method} ${request.target} HTTP/1.1\r\n${fields.join('')}\r\n`
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      socket.write(Buffer.from(head + (request.body ?? ''), 'utf8'))
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #connected(): Socket {
    if (this.#socket) return this.#socket
    const socket = connect(this.#port, '127.0.0.1')
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#read()
    })
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined
      this.#failed?.(new Error('the connection ended before the answer'))
    })
    this.#socket = socket
    return socket
  }

  #read(): void {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#received.length < end + 4 + length) return
    this.#received = this.#received.slice(end + 4 + length)
    if (/\r\nconnection: close/i.test(head)) this.close()
    this.#failed = undefined
    this.#done?.(Number(head.slice(9, 12)))
  }
}
