import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { LogSink } from '../log-queue.ts'

export interface SocketTarget {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Milliseconds to connect, and for a batch to leave. */
  readonly timeout: number
}

/** Lines over one TCP or TLS connection, which is opened when there is something to send. */
export class SocketSink implements LogSink {
  readonly #target: SocketTarget
  readonly #frame: (line: string) => string
  #socket: Socket | undefined

  /** `frame` makes of a line what is sent. */
  constructor(target: SocketTarget, frame: (line: string) => string) {
    this.#target = target
    this.#frame = frame
  }

  async send(lines: readonly string[]): Promise<void> {
    const socket = this.#socket ?? (await this.#open())
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = () => reject(new Error('the connection was closed'))
    socket.once('close', fail)
    const timer = setTimeout(() => socket.destroy(), this.#target.timeout)
    socket.write(lines.map(this.#frame).join(''), (error) => (error ? reject(error) : resolve()))
    await promise.finally(() => {
      clearTimeout(timer)
      socket.off('close', fail)
    })
  }

  close(): void {
    this.#socket?.end()
  }

  async #open(): Promise<Socket> {
    const { host, port, tls, timeout } = this.#target
    const socket = tls ? connectTls({ host, port, servername: host }) : connect({ host, port })
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
    try {
      await once(socket, tls ? 'secureConnect' : 'connect')
    } finally {
      clearTimeout(timer)
    }
    socket.on('error', () => {}) // close follows
    socket.once('close', () => {
      this.#socket = undefined
    })
    socket.resume()
    this.#socket = socket
    return socket
  }
}
